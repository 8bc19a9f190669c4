//! Containers and their networks.

use tracecol::model::Protocol;

use super::{addr, device, mac, merged, reading};

const TCP: Protocol = Protocol(6);

#[test]
fn docker_inspect_tells_names_addresses_and_ports() {
    let context = reading("docker/docker-inspect.json").facts;
    let redis = context.container_at(addr("172.17.0.2")).unwrap();
    assert_eq!(&*redis.name, "myredis");
    assert_eq!(redis.addrs, [addr("172.17.0.2"), addr("fd00:17::2")]);
    assert_eq!(redis.macs, [mac("02:42:ac:11:00:02")]);
    assert_eq!(redis.published, [(None, 40000, 6379, 6)]);
    let web = context.container_with(mac("02:42:ac:12:00:03")).unwrap();
    assert_eq!(&*web.name, "web");
    assert_eq!(web.published, [(Some(addr("127.0.0.1")), 8080, 80, 6)]);
    let mut networks: Vec<_> = web.networks.iter().map(ToString::to_string).collect();
    networks.sort_unstable();
    assert_eq!(networks, ["bridge", "front"]);
    assert_eq!(context.container_at(addr("172.17.0.3")), Some(web));
}

#[test]
fn docker_ps_tells_names_and_published_ports() {
    let context = reading("docker/docker-ps.txt").facts;
    let names: Vec<_> =
        context.containers.iter().map(|container| container.name.to_string()).collect();
    assert_eq!(names, ["myredis", "web", "dns", "idle"]);
    assert_eq!(&*context.container_published(40000, TCP).unwrap().name, "myredis");
    assert_eq!(&*context.container_published(5354, Protocol(17)).unwrap().name, "dns");
    assert_eq!(context.container_published(443, TCP), None, "exposed is not published");
    let lines = reading("docker/docker-ps.json").facts;
    for (one, other) in lines.containers.iter().zip(&context.containers) {
        assert_eq!(
            (&one.name, &one.id, &one.published),
            (&other.name, &other.id, &other.published)
        );
    }
    assert_eq!(lines.containers[1].networks.len(), 2);
}

#[test]
fn a_line_of_docker_inspect_is_of_the_container_that_was_asked_for() {
    let text = "\
$ sudo docker inspect myredis | grep IPAddress
    \"IPAddress”:  “172.17.0.5\"
$ docker inspect -f '{{.NetworkSettings.IPAddress}}' web
172.17.0.6
$ docker inspect other | grep Mac
            \"MacAddress\": \"02:42:ac:11:00:07\",
";
    let context = super::facts(text);
    assert_eq!(&*context.container_at(addr("172.17.0.5")).unwrap().name, "myredis");
    assert_eq!(&*context.container_at(addr("172.17.0.6")).unwrap().name, "web");
    assert_eq!(&*context.container_with(mac("02:42:ac:11:00:07")).unwrap().name, "other");
}

#[test]
fn a_size_column_does_not_hide_the_name() {
    let text = "\
CONTAINER ID   IMAGE     COMMAND      CREATED       STATUS       PORTS     NAMES     SIZE
4f2a9c1d7e30   redis:7   \"redis\"      3 hours ago   Up 3 hours             myredis   2B (virtual 117MB)
";
    assert_eq!(&*super::facts(text).containers[0].name, "myredis");
}

#[test]
fn networks_tell_bridge_and_isolation() {
    let context = reading("docker/docker-network-inspect.json").facts;
    let bridge = context.network_on(device("docker0")).unwrap();
    assert_eq!((&*bridge.name, bridge.is_icc, bridge.is_internal), ("bridge", Some(false), false));
    assert_eq!(bridge.nets[0], "172.17.0.0/16".parse().unwrap());
    // A network without a bridge name of its own has one made of its id.
    let front = context.network_on(device("br-4a1b2c3d4e5f")).unwrap();
    assert_eq!((&*front.name, front.is_icc, front.is_internal), ("front", None, true));
    assert_eq!(context.networks[2].bridge, None, "the host's own network is no bridge");
    assert_eq!(&*context.container_at(addr("172.17.0.2")).unwrap().name, "myredis");
}

#[test]
fn what_several_commands_say_of_a_container_comes_together() {
    let context = merged(&[
        "docker/docker-ps.txt",
        "docker/docker-network-inspect.json",
        "docker/docker-inspect.json",
    ]);
    assert_eq!(context.containers.len(), 4);
    let redis = context.container_at(addr("172.17.0.2")).unwrap();
    assert_eq!(redis.id.as_ref().unwrap().len(), 64);
    assert_eq!((redis.addrs.len(), redis.macs.len(), redis.published.len()), (2, 1, 1));
    assert_eq!(redis.networks, ["bridge".into()]);
}

#[test]
fn a_port_leads_to_the_container_behind_it() {
    let context = merged(&["host/bridge-fdb.txt", "docker/docker-inspect.json"]);
    assert_eq!(&*context.container_behind(device("vethc1")).unwrap().name, "myredis");
    assert_eq!(&*context.container_behind(device("vethc2")).unwrap().name, "web");
    assert_eq!(context.container_behind(device("docker0")), None);
    // Without hardware addresses of containers the neighbours tell which address it is.
    let mut context =
        merged(&["host/bridge-fdb.txt", "host/ip-neigh.txt", "docker/docker-inspect.json"]);
    context.containers.iter_mut().for_each(|container| container.macs.clear());
    assert_eq!(&*context.container_behind(device("vethc1")).unwrap().name, "myredis");
}
