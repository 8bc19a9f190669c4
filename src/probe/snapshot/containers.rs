//! Containers and their networks, as far as packets are concerned: names, addresses, ports.
//!
//! `docker inspect` tells everything of a container: its environment, its command, its mounts. Only what is named here
//! is kept; everything else never reaches the disk.

use serde_json::{Map, Value};

/// What is kept of a container: paths of keys. `*` is any key, or every element of a list.
const CONTAINER: &[&str] = &[
    "Id",
    "Name",
    "State/Status",
    "HostConfig/NetworkMode",
    "HostConfig/PortBindings",
    "NetworkSettings/Bridge",
    "NetworkSettings/IPAddress",
    "NetworkSettings/IPPrefixLen",
    "NetworkSettings/Gateway",
    "NetworkSettings/MacAddress",
    "NetworkSettings/GlobalIPv6Address",
    "NetworkSettings/GlobalIPv6PrefixLen",
    "NetworkSettings/IPv6Gateway",
    "NetworkSettings/Ports",
    "NetworkSettings/Networks/*/NetworkID",
    "NetworkSettings/Networks/*/EndpointID",
    "NetworkSettings/Networks/*/IPAddress",
    "NetworkSettings/Networks/*/IPPrefixLen",
    "NetworkSettings/Networks/*/Gateway",
    "NetworkSettings/Networks/*/MacAddress",
    "NetworkSettings/Networks/*/GlobalIPv6Address",
    "NetworkSettings/Networks/*/GlobalIPv6PrefixLen",
    "NetworkSettings/Networks/*/IPv6Gateway",
];

/// What is kept of a network.
const NETWORK: &[&str] = &[
    "Id",
    "Name",
    "Driver",
    "Scope",
    "Internal",
    "EnableIPv6",
    "IPAM/Config/*/Subnet",
    "IPAM/Config/*/IPRange",
    "IPAM/Config/*/Gateway",
    "Containers/*/Name",
    "Containers/*/EndpointID",
    "Containers/*/MacAddress",
    "Containers/*/IPv4Address",
    "Containers/*/IPv6Address",
    "Options/com.docker.network.bridge.name",
    "Options/com.docker.network.bridge.enable_icc",
    "Options/com.docker.network.bridge.enable_ip_masquerade",
    "Options/com.docker.network.bridge.host_binding_ipv4",
];

/// What is kept of `docker inspect`'s answer; none when that is no list of containers.
pub(super) fn containers(json: &[u8]) -> Option<Vec<Value>> {
    list(json, CONTAINER)
}

/// What is kept of `docker network inspect`'s answer.
pub(super) fn networks(json: &[u8]) -> Option<Vec<Value>> {
    list(json, NETWORK)
}

fn list(json: &[u8], paths: &[&str]) -> Option<Vec<Value>> {
    let values: Vec<Value> = serde_json::from_slice(json).ok()?;
    let paths: Vec<Vec<&str>> = paths.iter().map(|path| path.split('/').collect()).collect();
    let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    Some(values.into_iter().map(|value| keep(value, &paths)).collect())
}

/// Keeps what lies on a path. A path that ends keeps everything below.
fn keep(value: Value, paths: &[&[&str]]) -> Value {
    if paths.iter().any(|path| path.is_empty()) {
        return value;
    }
    let below = |key: &str| -> Vec<&[&str]> {
        paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| **first == "*" || **first == key)
            .map(|(_, rest)| rest)
            .collect()
    };
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (key, value) in members {
                let paths = below(&key);
                if !paths.is_empty() {
                    kept.insert(key, keep(value, &paths));
                }
            }
            Value::Object(kept)
        }
        Value::Array(elements) => {
            let paths = below("");
            elements.into_iter().map(|element| keep(element, &paths)).collect()
        }
        // Something else stands where an object was awaited: better nothing than a secret.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_where_they_are() {
        let json = br#"[{"Id":"5f1c","Name":"/myredis","Path":"redis-server","Args":["--requirepass","hunter2"],
            "Config":{"Env":["PASSWORD=hunter2"],"Labels":{"token":"hunter2"},"Cmd":["hunter2"]},
            "Mounts":[{"Source":"/hunter2"}],"HostConfig":{"Binds":["/hunter2"],"NetworkMode":"default",
            "PortBindings":{"6379/tcp":[{"HostIp":"","HostPort":"40000"}]}},
            "State":{"Status":"running","Pid":99},
            "NetworkSettings":{"SandboxKey":"/run/hunter2","IPAddress":"172.17.0.5",
              "Ports":{"6379/tcp":[{"HostIp":"0.0.0.0","HostPort":"40000"}]},
              "Networks":{"bridge":{"IPAddress":"172.17.0.5","MacAddress":"02:42:ac:11:00:05",
                "DriverOpts":{"key":"hunter2"}}}}}]"#;
        let kept = containers(json).unwrap();
        assert!(!format!("{kept:?}").contains("hunter2"));
        let expected: Value = serde_json::from_str(
            r#"[{"Id":"5f1c","Name":"/myredis","State":{"Status":"running"},
              "HostConfig":{"NetworkMode":"default",
                "PortBindings":{"6379/tcp":[{"HostIp":"","HostPort":"40000"}]}},
              "NetworkSettings":{"IPAddress":"172.17.0.5",
                "Ports":{"6379/tcp":[{"HostIp":"0.0.0.0","HostPort":"40000"}]},
                "Networks":{"bridge":{"IPAddress":"172.17.0.5","MacAddress":"02:42:ac:11:00:05"}}}}]"#,
        )
        .unwrap();
        assert_eq!(Value::from(kept), expected);
    }

    #[test]
    fn networks_keep_their_bridge() {
        let json = br#"[{"Name":"bridge","Id":"9","Driver":"bridge","Labels":{"a":"hunter2"},
            "IPAM":{"Driver":"default","Config":[{"Subnet":"172.17.0.0/16","AuxiliaryAddresses":"hunter2"}]},
            "Containers":{"5f1c":{"Name":"myredis","IPv4Address":"172.17.0.5/16"}},
            "Options":{"com.docker.network.bridge.name":"docker0","secret":"hunter2"}}]"#;
        let kept = Value::from(networks(json).unwrap());
        assert!(!kept.to_string().contains("hunter2"));
        assert_eq!(kept[0]["Options"]["com.docker.network.bridge.name"], "docker0");
        assert_eq!(kept[0]["IPAM"]["Config"][0]["Subnet"], "172.17.0.0/16");
        assert_eq!(kept[0]["Containers"]["5f1c"]["IPv4Address"], "172.17.0.5/16");
    }

    #[test]
    fn odd_answers_keep_nothing() {
        assert_eq!(containers(b"not json"), None);
        assert_eq!(containers(b"{}"), None);
        let kept =
            containers(br#"[{"NetworkSettings":"hunter2","Name":"/a"}, "hunter2"]"#).unwrap();
        assert!(!format!("{kept:?}").contains("hunter2"));
    }
}
