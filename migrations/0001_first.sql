-- The first schema. Says who we are before anything else: a file with tables and without this mark is not ours.
pragma application_id = 0x74726363;

-- The meaning of every integer code of this database.
create table word (
    kind text not null,        -- the code's kind: `layer`, `verdict`, `state` …
    code integer not null,     -- the integer as stored
    name text not null,        -- the word as printed in JSON
    primary key (kind, code)
) strict, without rowid;

insert into word (kind, code, name) values
    ('source', 0, 'file'), ('source', 1, 'stdin'),
    ('layer', 0, 'ip'), ('layer', 1, 'ip6'), ('layer', 2, 'bridge'), ('layer', 3, 'arp'),
    ('site', 0, 'rule'), ('site', 1, 'return'), ('site', 2, 'policy'), ('site', 3, 'log'),
    ('site', 4, 'bridge'), ('site', 5, 'bridge_log'),
    ('direction', 0, 'original'), ('direction', 1, 'reply'), ('direction', 2, 'related'),
    ('trust', 0, 'kernel'), ('trust', 1, 'text'), ('trust', 2, 'suspect'),
    ('confidence', 0, 'exact'), ('confidence', 1, 'likely'), ('confidence', 2, 'ambiguous'),
    ('verdict', 0, 'accepted'), ('verdict', 1, 'dropped'), ('verdict', 2, 'rejected'),
    ('verdict', 3, 'consumed'), ('verdict', 4, 'unknown'),
    ('evidence', 0, 'rule'), ('evidence', 1, 'policy'), ('evidence', 2, 'absence'), ('evidence', 3, 'reply'),
    ('state', 0, 'none'), ('state', 1, 'syn_sent'), ('state', 2, 'syn_recv'), ('state', 3, 'established'),
    ('state', 4, 'fin_wait'), ('state', 5, 'close_wait'), ('state', 6, 'last_ack'), ('state', 7, 'time_wait'),
    ('state', 8, 'closed'), ('state', 9, 'syn_sent2'), ('state', 10, 'unreplied'), ('state', 11, 'replied'),
    ('state', 12, 'assured'),
    ('completeness', 0, 'whole'), ('completeness', 1, 'began_before_log'), ('completeness', 2, 'cut'),
    ('completeness', 3, 'lossy'),
    ('nat', 0, 'dnat'), ('nat', 1, 'snat'), ('nat', 2, 'masquerade'), ('nat', 3, 'redirect'), ('nat', 4, 'netmap'),
    ('nat_evidence', 0, 'observed'), ('nat_evidence', 1, 'inferred'),
    ('link', 0, 'proxy'), ('link', 1, 'icmp_error'), ('link', 2, 'reset'), ('link', 3, 'expectation'),
    ('link', 4, 'arp_wait'), ('link', 5, 'retransmission'),
    ('end', 0, 'connection'), ('end', 1, 'packet'),
    ('protocol', -1, 'arp'), ('protocol', 1, 'icmp'), ('protocol', 2, 'igmp'), ('protocol', 6, 'tcp'), ('protocol', 17, 'udp'),
    ('protocol', 47, 'gre'), ('protocol', 50, 'esp'), ('protocol', 51, 'ah'), ('protocol', 58, 'icmpv6'),
    ('protocol', 132, 'sctp'), ('protocol', 136, 'udplite');

-- A file or stream that was read. Known again by its content, never by its name.
create table source (
    id integer primary key,               -- 1, 2, 3 … in order of registration; the upper bits of packet keys
    tag integer not null unique,          -- 22 bits of the head's hash: what public ids hold in place of `id`
    head_hash blob not null,              -- SHA-256 of the first `head_len` uncompressed bytes
    head_len integer not null,            -- 1024, or less for a source that was shorter when last seen
    name text not null,                   -- the name under which it was first read, for display
    kind integer not null,                -- word `source`
    position integer not null,            -- uncompressed bytes taken in so far: the end of a whole line
    tail_hash blob,                       -- SHA-256 of the (at most) 64 bytes before `position`
    done integer not null,                -- 1 when its end was reached and its open packets were closed
    lines_trace integer not null,         -- TRACE lines of ip(6)tables
    lines_log integer not null,           -- LOG lines
    lines_ebtables integer not null,      -- ebtables lines and their torn-off pieces
    lines_nft integer not null,           -- trace events of nf_tables
    lines_marker integer not null,        -- loss and noise markers
    lines_other integer not null,         -- somebody else's log
    lines_rejected integer not null,      -- looked like netfilter lines and could not be used
    lines_suspect integer not null,       -- proved not to come from the kernel
    lines_placed integer not null,        -- netfilter lines that are part of a packet
    lines_unplaced integer not null,      -- netfilter lines that are not
    unique (head_hash, head_len)
) strict;

-- A host, with the network namespace label that was given for it.
create table host (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    name blob not null,                   -- as the log names it; empty when it does not
    label text not null,                  -- the same as readable text
    netns text                            -- the `--netns` label
) strict;
create index host_name on host (name);

-- A network device's name.
create table device (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    name blob not null unique,            -- the bytes the kernel printed, 1 to 15
    label text not null                   -- the same as readable text
) strict;

-- A place in the rule sets from which lines come.
create table site (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    kind integer not null,                -- word `site`
    table_name blob,                      -- `raw`, `filter` …; null for prefixes that do not tell
    chain blob,                           -- the chain's name; null for prefixes that do not tell
    number integer,                       -- n of `rule:n`, `return:n`, `policy:n`
    prefix blob,                          -- the whole prefix of LOG and ebtables lines, as printed
    hook text,                            -- the hook's name when the chain is a built-in one
    label text not null                   -- `filter:FORWARD:rule:2`, `eb:nat:OUTPUT`, `log:…`
) strict;
create index site_chain on site (chain, number, prefix);

-- A site together with the devices printed there.
create table hop (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    layer integer not null,               -- word `layer`
    site integer not null,                -- site.id
    input integer,                        -- device.id of IN=
    output integer,                       -- device.id of OUT=
    physin integer,                       -- device.id of PHYSIN=
    physout integer                       -- device.id of PHYSOUT=
) strict;
create index hop_site on hop (site, input, output);

-- An ordered list of hops. A gigabyte of log has about twenty.
create table path (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    hops text not null unique             -- hop.id in order, separated by commas
) strict;

-- A path's hops one by one.
create table path_hop (
    path integer not null,                -- path.id
    idx integer not null,                 -- 0 for the first hop
    hop integer not null,                 -- hop.id
    primary key (path, idx)
) strict, without rowid;
create index path_hop_hop on path_hop (hop, path);

-- A list of distinct link-layer headers, in the order in which a packet shows them.
create table frames (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    bytes blob not null unique            -- the headers, packed
) strict;

-- The Ethernet addresses in each such list.
create table frame_mac (
    mac blob not null,                    -- six octets
    frames integer not null,              -- frames.id
    primary key (mac, frames)
) strict, without rowid;

-- Which fields the headers of a packet have and which of them change on its path, without their values.
create table shape (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    bytes blob not null unique            -- packed; the first byte is the version
) strict;

-- A boot of a host: how its two clocks go together.
create table boot (
    host integer not null,                -- host.id
    boot integer not null,                -- counts the host's boots from 0
    base_us integer not null,             -- wall time less uptime, of its first packet that has both
    primary key (host, boot)
) strict, without rowid;

-- What a packet shares with thousands of others.
create table way (
    id integer primary key,               -- 0, 1, 2 … in order of first appearance
    path integer not null,                -- path.id
    shape integer not null,               -- shape.id
    host integer not null,                -- host.id
    boot integer not null,                -- counts the host's boots from 0
    protocol integer,                     -- IP protocol number, word `protocol`; -1 for ARP; null when unknown
    direction integer,                    -- word `direction`; null without a connection
    trust integer not null,               -- word `trust`
    confidence integer not null,          -- word `confidence`
    verdict integer not null,             -- word `verdict`
    evidence integer,                     -- word `evidence`
    verdict_hop integer,                  -- hop.id of the deciding place
    lines integer not null                -- how many lines such a packet is made of
) strict;
create index way_path on way (path, shape, host, boot);

-- How many packets began a way in a minute.
create table way_minute (
    way integer not null,                 -- way.id
    minute integer not null,              -- minutes since 1970; -1 for packets without wall time
    packets integer not null,             -- how many
    primary key (way, minute)
) strict, without rowid;

-- In which mebibytes of a source a way begins: an index that is twenty times smaller than one entry a packet.
create table way_block (
    way integer not null,                 -- way.id
    block integer not null,               -- packet.id >> 20
    primary key (way, block)
) strict, without rowid;

-- What conntrack would call one connection.
create table connection (
    id integer primary key,               -- the key of its first packet
    host integer not null,                -- host.id
    boot integer not null,                -- counts the host's boots from 0
    protocol integer not null,            -- IP protocol number, word `protocol`
    src text,                             -- original tuple: source address
    sport integer,                        -- original tuple: source port
    dst text,                             -- original tuple: destination address
    dport integer,                        -- original tuple: destination port
    reply_src text,                       -- reply tuple: source address, the translated destination
    reply_sport integer,                  -- reply tuple: source port
    reply_dst text,                       -- reply tuple: destination address, the translated source
    reply_dport integer,                  -- reply tuple: destination port
    src_key blob,                         -- `src` as 4 or 16 bytes, for ranges
    dst_key blob,                         -- `dst` as 4 or 16 bytes, for ranges
    reply_src_key blob,                   -- `reply_src` as 4 or 16 bytes; null when it is `dst`
    reply_dst_key blob,                   -- `reply_dst` as 4 or 16 bytes; null when it is `src`
    icmp_id integer,                      -- echo identifier, for ICMP
    state integer not null,               -- word `state`
    completeness integer not null,        -- word `completeness`
    first_wall_us integer,                -- first line: µs since 1970, when the log tells
    first_uptime_us integer,              -- first line: µs since boot, when the log tells
    last_wall_us integer,                 -- last line: µs since 1970
    last_uptime_us integer,               -- last line: µs since boot
    packets_original integer not null,    -- packets in original direction
    packets_reply integer not null,       -- packets in reply direction
    packets_related integer not null,     -- ICMP errors about it
    lines integer not null,               -- lines of all its packets
    layers text not null,                 -- word `layer` in order of first sight, separated by commas
    interfaces text not null,             -- device.id in order of first sight, separated by commas
    trust integer not null,               -- word `trust`: the least of its lines
    verdict integer not null,             -- word `verdict`
    evidence integer,                     -- word `evidence`
    verdict_hop integer                   -- hop.id of the deciding place
) strict;
create index connection_first on connection (first_wall_us);

-- What NAT rewrote.
create table nat (
    connection integer not null,          -- connection.id
    idx integer not null,                 -- 0 for the first change
    kind integer not null,                -- word `nat`
    from_side integer,                    -- 0 before it was the original source, 1 the original destination,
                                          -- 2 the reply's source, 3 the reply's destination; null: as the next two say
    from_addr text,                       -- address before
    from_port integer,                    -- port before
    to_side integer,                      -- the same for what it became
    to_addr text,                         -- address after
    to_port integer,                      -- port after
    hop integer,                          -- hop.id of the nat rule
    evidence integer not null,            -- word `nat_evidence`
    primary key (connection, idx)
) strict, without rowid;

-- Every address and port that a connection, or a packet without one, showed on any line.
create table endpoint (
    addr blob not null,                   -- 4 or 16 bytes; empty when only the port is known
    port integer not null,                -- -1 for none
    owner integer not null,               -- connection.id, or packet.id of a packet without connection
    primary key (addr, port, owner)
) strict, without rowid;

-- A packet: one skb's way through one host.
create table packet (
    id integer primary key,               -- source.id << 42 | byte offset of its first line
    behind integer,                       -- id - connection.id; null for ARP, STP and what cannot be told
    connection integer generated always as (id - behind) virtual, -- connection.id
    way integer not null,                 -- way.id: path, host, direction, verdict …
    frames integer not null,              -- frames.id
    wall_us integer,                      -- first line: µs since 1970, when the log tells
    skew_us integer,                      -- how far the clocks are apart: wall_us - boot.base_us - uptime; without
                                          -- wall_us the uptime itself; null when the uptime is unknown
    length integer,                       -- IP total length in bytes
    ip_id integer,                        -- IPv4 identification
    tcp_flags integer,                    -- as on the wire: 1 FIN, 2 SYN, 4 RST, 8 PSH, 16 ACK …
    gaps text,                            -- µs from step to step. One character each: its code less 32, and
                                          -- less 2048 from 0xe000 on. Or a tab and numbers with commas.
                                          -- Null when unknown
    detail blob not null                  -- addresses, SEQ, options …, and line positions, packed; of a packet
                                          -- with behind > 0 only what the connection's first one
                                          -- does not let expect
) strict;
create index packet_connection on packet (connection);
create index packet_wall on packet (wall_us);

-- A relation between two connections or packets.
create table link (
    from_end integer not null,            -- word `end`: what `from_id` names
    from_id integer not null,             -- the later one, which refers
    kind integer not null,                -- word `link`
    to_end integer not null,              -- word `end`: what `to_id` names
    to_id integer not null,               -- the earlier one, referred to
    evidence text not null,               -- why we say so
    primary key (from_end, from_id, kind, to_end, to_id)
) strict, without rowid;
create index link_to on link (to_end, to_id);

-- A line that could not be used, or a guess.
create table anomaly (
    position integer not null,            -- source.id << 42 | byte offset of the line
    copy integer not null,                -- n for the n-th copy that a "message repeated" line stands for
    kind text not null,                   -- its stable name
    digest integer not null,              -- the first bytes of the text's SHA-256: tells two of a kind apart
    seq integer,                          -- kmsg sequence number
    text blob not null,                   -- the bytes concerned, at most 4 KiB
    primary key (position, copy, kind, digest)
) strict, without rowid;
create index anomaly_kind on anomaly (kind);

-- Lines that are known to be missing.
create table gap (
    position integer not null,            -- source.id << 42 | byte offset where the loss was noticed
    copy integer not null,                -- n for the n-th copy that a "message repeated" line stands for
    reason text not null,                 -- its stable name
    host integer not null,                -- host.id
    seq integer,                          -- kmsg sequence number
    wall_us integer,                      -- µs since 1970, when the log tells
    uptime_us integer,                    -- µs since boot, when the log tells
    lost integer,                         -- how many lines; null when the source does not say
    primary key (position, copy, reason)
) strict, without rowid;

-- Connections for people and dashboards.
create view v_connections as
select
    c.id as connection,                                       -- private key, to join v_packets with
    h.label as host,
    h.netns as netns,
    c.boot as boot,
    c.first_wall_us / 1000000.0 as time,                      -- epoch seconds
    c.last_wall_us / 1000000.0 as end_time,                   -- epoch seconds
    c.first_wall_us as wall_us,
    c.first_uptime_us as uptime_us,
    coalesce((select name from word where kind = 'protocol' and code = c.protocol), c.protocol) as protocol,
    c.src as src, c.sport as sport, c.dst as dst, c.dport as dport,
    c.reply_src as reply_src, c.reply_sport as reply_sport,
    c.reply_dst as reply_dst, c.reply_dport as reply_dport,
    c.icmp_id as icmp_id,
    (select group_concat(name, ',') from
        (select o.name as name from nat n join word o on o.kind = 'nat' and o.code = n.kind
            where n.connection = c.id order by n.idx)) as nat,
    (select name from word where kind = 'state' and code = c.state) as state,
    (select name from word where kind = 'completeness' and code = c.completeness) as completeness,
    c.packets_original as packets_original,
    c.packets_reply as packets_reply,
    c.packets_related as packets_related,
    c.lines as lines,
    (select group_concat(name, ',') from
        (select o.name as name from json_each('[' || c.layers || ']') j
            join word o on o.kind = 'layer' and o.code = j.value order by j.key)) as layers,
    (select group_concat(label, ',') from
        (select d.label as label from json_each('[' || c.interfaces || ']') j
            join device d on d.id = j.value order by j.key)) as interfaces,
    (select name from word where kind = 'trust' and code = c.trust) as trust,
    (select name from word where kind = 'verdict' and code = c.verdict) as verdict,
    (select name from word where kind = 'evidence' and code = c.evidence) as evidence,
    (select s.label from hop p join site s on s.id = p.site where p.id = c.verdict_hop) as verdict_at
from connection c
join host h on h.id = c.host;

-- Packets for people and dashboards. Addresses are those of the connection, in the packet's direction.
create view v_packets as
select
    p.id as packet,                                           -- private key, to join v_steps with
    p.connection as connection,
    h.label as host,
    h.netns as netns,
    w.boot as boot,
    p.wall_us / 1000000.0 as time,                            -- epoch seconds
    p.wall_us as wall_us,
    case when p.wall_us is null then p.skew_us else p.wall_us - b.base_us - p.skew_us end as uptime_us,
    (select name from word where kind = 'direction' and code = w.direction) as direction,
    coalesce((select name from word where kind = 'protocol' and code = w.protocol), w.protocol) as protocol,
    case w.direction when 0 then c.src when 1 then c.reply_src end as src,
    case w.direction when 0 then c.sport when 1 then c.reply_sport end as sport,
    case w.direction when 0 then c.dst when 1 then c.reply_dst end as dst,
    case w.direction when 0 then c.dport when 1 then c.reply_dport end as dport,
    p.length as length,
    p.ip_id as ip_id,
    case when p.tcp_flags is not null then trim(
        iif(p.tcp_flags & 256, 'AE ', '') || iif(p.tcp_flags & 128, 'CWR ', '') ||
        iif(p.tcp_flags & 64, 'ECE ', '') || iif(p.tcp_flags & 32, 'URG ', '') ||
        iif(p.tcp_flags & 16, 'ACK ', '') || iif(p.tcp_flags & 8, 'PSH ', '') ||
        iif(p.tcp_flags & 4, 'RST ', '') || iif(p.tcp_flags & 2, 'SYN ', '') ||
        iif(p.tcp_flags & 1, 'FIN ', '')) end as tcp_flags,
    w.lines as lines,
    (select name from word where kind = 'trust' and code = w.trust) as trust,
    (select name from word where kind = 'confidence' and code = w.confidence) as confidence,
    (select name from word where kind = 'verdict' and code = w.verdict) as verdict,
    (select name from word where kind = 'evidence' and code = w.evidence) as evidence,
    (select s.label from hop o join site s on s.id = o.site where o.id = w.verdict_hop) as verdict_at
from packet p
join way w on w.id = p.way
join host h on h.id = w.host
left join boot b on b.host = w.host and b.boot = w.boot
left join connection c on c.id = p.connection;

-- The steps of packets: one row for each place that a packet's lines name.
create view v_steps as
select
    p.id as packet,
    p.connection as connection,
    o.idx as step,                                            -- 0 for the first
    (select name from word where kind = 'layer' and code = h.layer) as layer,
    s.label as at,
    s.hook as hook,
    case                                                      -- µs since the packet's first line
        when p.gaps is null then null
        when unicode(p.gaps) = 9 then
            (select coalesce(sum(j.value), 0) from json_each('[' || substr(p.gaps, 2) || ']') j
                where j.key < o.idx)
        else
            (select coalesce(sum(unicode(substr(p.gaps, b.idx, 1)) - 32
                    - iif(unicode(substr(p.gaps, b.idx, 1)) >= 57344, 2048, 0)), 0)
                from path_hop b where b.path = w.path and b.idx between 1 and o.idx)
    end as offset_us,
    (select label from device where id = h.input) as input,
    (select label from device where id = h.output) as output,
    (select label from device where id = h.physin) as physin,
    (select label from device where id = h.physout) as physout
from packet p
join way w on w.id = p.way
join path_hop o on o.path = w.path
join hop h on h.id = o.hop
join site s on s.id = h.site;

pragma user_version = 1;
