-- What rules and context tell beside the log. What the log alone says stays as it is; the views show what is told.

-- A text that says what held on a host beside its log. Never changed.
create table snapshot (
    id integer primary key,               -- 1, 2, 3 … in order of adding
    kind text not null,                   -- `rules` or `context`
    host text,                            -- the name of the host it was taken on; null for any
    netns text,                           -- the `--netns` label
    from_us integer,                      -- from when on it holds: µs since 1970; null when nobody knows
    from_how text not null,               -- how that is known: `header`, `given`, `file`, `unknown`
    name text not null,                   -- the name of the file it came from, for display
    digest blob not null,                 -- SHA-256 of the text
    length integer not null,              -- the text's length in bytes
    text blob not null                    -- the text, deflated (zlib)
) strict;

-- A rule set of a snapshot: the rules of one family at one time.
create table revision (
    id integer primary key,               -- 1, 2, 3 … in order of filing
    snapshot integer not null,            -- snapshot.id
    idx integer not null,                 -- 0 for the first of its snapshot
    family text not null,                 -- `ip`, `ip6`, `inet`, `bridge`, `arp`, `netdev`
    from_us integer                       -- from when on it holds: µs since 1970; null when nobody knows
) strict;

-- A rule, a policy, or the end of a user chain.
create table rule (
    id integer primary key,               -- revision.id * 2^24 + 0, 1, 2 … in the order of the text
    table_name text not null,             -- the table's name
    chain text not null,                  -- the chain's name
    number integer not null,              -- from 1; 0 for the policy of a built-in chain and the end of a user chain
    text text,                            -- `-A FORWARD -i docker0 -j ACCEPT`; null for the end of a user chain
    target text,                          -- what it does, as a word; null when it does nothing
    label text not null                   -- `filter:FORWARD:rule:2`, `filter:FORWARD:policy`, `filter:DOCKER:return`
) strict;

-- Which rule sets held on a host, from a time on.
create table held (
    host integer not null,                -- host.id
    from_us integer not null,             -- µs since 1970; the least integer for the beginning
    revision integer not null,            -- revision.id; 0 when none held
    primary key (host, from_us, revision)
) strict, without rowid;

-- What stands at a site of a host, from a time on.
create table rule_site (
    host integer not null,                -- host.id
    site integer not null,                -- site.id
    layer integer not null,               -- word `layer`
    from_us integer not null,             -- µs since 1970; the least integer for the beginning
    rule integer,                         -- rule.id; null when no rule set is for this layer, and with a misfit
    misfit text,                          -- why the rule set cannot be the one that the packets met
    primary key (host, site, layer, from_us)
) strict, without rowid;

-- The verdict on a way as the rules tell it, from a time on. Packets without wall time take the first.
create table telling (
    way integer not null,                 -- way.id
    from_us integer not null,             -- µs since 1970; the least integer for the beginning
    verdict integer not null,             -- word `verdict`
    evidence integer,                     -- word `evidence`
    verdict_hop integer,                  -- hop.id of the deciding place
    rule integer,                         -- rule.id of the rule that decided
    primary key (way, from_us)
) strict, without rowid;

alter table way add column told integer;                 -- 1 when it was told under the present snapshots

alter table connection add column untold integer;        -- 1 when snapshots are there and it waits to be told
alter table connection add column told_verdict integer;  -- word `verdict`; null when the log's own holds
alter table connection add column told_evidence integer; -- word `evidence`, with `told_verdict`
alter table connection add column told_hop integer;      -- hop.id of the deciding place, with `told_verdict`
alter table connection add column told_rule integer;     -- rule.id of the rule that decided
alter table connection add column learnt integer;        -- the parts of the reply tuple that conntrack's record told and
                                                         -- not the log: 1 source address, 2 source port,
                                                         -- 4 destination address, 8 destination port
create index connection_untold on connection (untold) where untold = 1;

alter table nat add column told_kind integer;            -- word `nat`; null when the log's own holds
alter table nat add column told_evidence integer;        -- word `nat_evidence`; null when the log's own holds
alter table nat add column rule integer;                 -- rule.id of the rule that translated
alter table nat add column learnt integer;               -- 1 when only conntrack's record shows it

-- Connections for people and dashboards. Verdict, translations and reply tuple are as told.
drop view v_connections;
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
        (select o.name as name from nat n join word o on o.kind = 'nat' and o.code = coalesce(n.told_kind, n.kind)
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
    (select name from word where kind = 'verdict' and code = coalesce(c.told_verdict, c.verdict)) as verdict,
    (select name from word where kind = 'evidence'
        and code = iif(c.told_verdict is null, c.evidence, c.told_evidence)) as evidence,
    (select s.label from hop p join site s on s.id = p.site
        where p.id = iif(c.told_verdict is null, c.verdict_hop, c.told_hop)) as verdict_at,
    (select text from rule where id = c.told_rule) as rule    -- the rule that decided, when the rules tell it
from connection c
join host h on h.id = c.host;

-- Packets for people and dashboards. Addresses are those of the connection, in the packet's direction; the verdict is
-- as told.
drop view v_packets;
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
    (select name from word where kind = 'verdict' and code = coalesce(t.verdict, w.verdict)) as verdict,
    (select name from word where kind = 'evidence'
        and code = iif(t.way is null, w.evidence, t.evidence)) as evidence,
    (select s.label from hop o join site s on s.id = o.site
        where o.id = iif(t.way is null, w.verdict_hop, t.verdict_hop)) as verdict_at,
    (select text from rule where id = t.rule) as rule         -- the rule that decided, when the rules tell it
from packet p
join way w on w.id = p.way
join host h on h.id = w.host
left join boot b on b.host = w.host and b.boot = w.boot
left join connection c on c.id = p.connection
left join telling t on t.way = p.way and t.from_us =
    (select max(x.from_us) from telling x
        where x.way = p.way and x.from_us <= coalesce(p.wall_us, -9223372036854775808));

-- The steps of packets: one row for each place that a packet's lines name.
drop view v_steps;
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
    (select label from device where id = h.physout) as physout,
    (select text from rule where id = r.rule) as rule,        -- what stands there, when the rules tell it
    r.misfit as misfit                                        -- or why they do not
from packet p
join way w on w.id = p.way
join path_hop o on o.path = w.path
join hop h on h.id = o.hop
join site s on s.id = h.site
left join rule_site r on r.host = w.host and r.site = h.site and r.layer = h.layer and r.from_us =
    (select max(x.from_us) from rule_site x
        where x.host = w.host and x.site = h.site and x.layer = h.layer
            and x.from_us <= coalesce(p.wall_us, -9223372036854775808));

pragma user_version = 2;
