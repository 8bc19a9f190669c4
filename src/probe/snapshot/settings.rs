//! The kernel settings that decide where packets go and what is logged of them, picked out of `sysctl -a`.

/// Names; `*` stands for any device, or anything at the end.
const SETTINGS: [&str; 30] = [
    "kernel.dmesg_restrict",
    "kernel.hostname",
    "kernel.osrelease",
    "kernel.printk*",
    "net.bridge.*",
    "net.core.netdev_max_backlog",
    "net.ipv4.conf.*.accept_local",
    "net.ipv4.conf.*.arp_announce",
    "net.ipv4.conf.*.arp_filter",
    "net.ipv4.conf.*.arp_ignore",
    "net.ipv4.conf.*.forwarding",
    "net.ipv4.conf.*.log_martians",
    "net.ipv4.conf.*.proxy_arp",
    "net.ipv4.conf.*.route_localnet",
    "net.ipv4.conf.*.rp_filter",
    "net.ipv4.conf.*.src_valid_mark",
    "net.ipv4.fwmark_reflect",
    "net.ipv4.icmp_echo_ignore_all",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.tcp_fwmark_accept",
    "net.ipv6.conf.*.disable_ipv6",
    "net.ipv6.conf.*.forwarding",
    "net.ipv6.conf.*.proxy_ndp",
    "net.netfilter.nf_conntrack_*",
    "net.netfilter.nf_hooks_lwtunnel",
    "net.netfilter.nf_log*",
    "net.nf_conntrack_max",
    "net.vrf.*",
];

/// The lines of `sysctl -a` that matter.
pub(super) fn pick(text: &[u8]) -> Vec<u8> {
    let wanted = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        SETTINGS.iter().any(|setting| is_meant(setting, name))
    };
    text.split_inclusive(|byte| *byte == b'\n').filter(wanted).flatten().copied().collect()
}

/// A device's name may hold dots itself, so `*` in the middle takes as much as it can.
fn is_meant(setting: &str, name: &[u8]) -> bool {
    match setting.split_once('*') {
        None => setting.as_bytes() == name,
        Some((begin, end)) => {
            name.len() >= begin.len() + end.len()
                && name.starts_with(begin.as_bytes())
                && name.ends_with(end.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_picked() {
        let text = "kernel.random.boot_id = 1\nnet.ipv4.ip_forward = 1\nnet.ipv4.conf.eth0/100.rp_filter = 2\n\
                    net.ipv4.conf.all.tag = 0\nnet.bridge.bridge-nf-call-iptables = 1\nkernel.printk = 4\t4\t1\t7\n\
                    net.netfilter.nf_log.2 = nf_log_ipv4\n";
        let picked = String::from_utf8(pick(text.as_bytes())).unwrap();
        assert_eq!(picked.lines().count(), 5);
        assert!(!picked.contains("boot_id") && !picked.contains("tag"));
        assert!(picked.contains("eth0/100.rp_filter = 2\n"));
    }
}
