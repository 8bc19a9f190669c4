//! Lays lanes out: roomy when everything fits into the width, else compact, else in several blocks.
//!
//! Roomy rows have the marks on the lane and their labels below. Compact rows have both in one, shorter heads, and
//! the devices in the legend. Later blocks repeat the packet's number at the left. Nothing is left out for want
//! of room.

use crate::render::span::{pieces, width};
use crate::render::{Line, Style, Text};

/// Blanks (or lane) between two columns.
const BETWEEN: usize = 2;

/// Longer labels go on in the next line.
const LONGEST_LABEL: usize = 40;

/// The heads and rows of the lanes.
pub(super) struct Grid {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// A column's head.
pub(super) struct Column {
    style: Style,
    table: String,
    long: String,
    short: String,
}

/// One packet.
pub(super) struct Row {
    pub number: String,
    pub start: String,
    pub wait: String,
    pub title: Line,
    pub path: String,
    pub style: Style,
    /// One cell a column; empty where the packet was not seen.
    pub cells: Vec<Vec<Item>>,
    pub input: String,
    pub end: End,
    pub notes: Vec<String>,
}

/// One mark.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub mark: char,
    pub style: Style,
    /// The user chain it stands in.
    pub chain: Option<String>,
    /// `rule`, `policy`, `return` or `log`.
    pub word: &'static str,
    pub number: String,
    /// The new address.
    pub text: String,
    pub offset: String,
    /// The time since the step before, when it is long.
    pub wait: Option<String>,
}

/// Where a lane ends.
pub(super) enum End {
    /// Out of this device.
    Goes(String),
    /// By the firewall.
    Stops(&'static str),
    /// Nobody knows; it was on its way to this device.
    Unknown(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Roomy,
    Compact,
}

/// Columns `from..to` with their places, drawn together.
struct Block {
    mode: Mode,
    first: bool,
    last: bool,
    /// Where the lanes begin.
    left: usize,
    /// Index, place and width of each column.
    places: Vec<(usize, usize, usize)>,
    /// Where the last device stands, in the last block.
    out: usize,
}

/// A piece of text in one style.
pub(super) fn chunk(style: Style, text: String) -> Line {
    (style, text).into()
}

impl Column {
    pub(super) fn new(style: Style, table: String, long: &str, short: &str) -> Self {
        Self { style, table, long: long.to_owned(), short: short.to_owned() }
    }

    fn name(&self, mode: Mode) -> &str {
        match mode {
            Mode::Roomy => &self.long,
            Mode::Compact => &self.short,
        }
    }
}

impl Item {
    pub(super) fn new(mark: char, style: Style, word: &'static str) -> Self {
        let (number, text, offset) = (String::new(), String::new(), String::new());
        Self { mark, style, chain: None, word, number, text, offset, wait: None }
    }

    /// What stands beside or below the mark.
    fn label(&self, mode: Mode) -> String {
        let place = match (mode, &self.chain) {
            (Mode::Roomy, Some(chain)) => format!("› {chain} {} {}", self.word, self.number),
            (Mode::Roomy, None) => format!("{} {}", self.word, self.number),
            (Mode::Compact, Some(chain)) if self.number.is_empty() => chain.clone(),
            (Mode::Compact, Some(chain)) => format!("{chain}:{}", self.number),
            (Mode::Compact, None) => self.number.clone(),
        };
        let parts = [place.trim(), &self.text, &self.offset];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    fn labels(&self, mode: Mode) -> Vec<String> {
        pieces(&self.label(mode), LONGEST_LABEL)
    }

    fn waited(&self, mode: Mode) -> Option<String> {
        let wait = self.wait.as_ref()?;
        Some(if mode == Mode::Roomy { format!("after {wait}") } else { format!("Δ{wait}") })
    }
}

impl Grid {
    /// Draws everything; tells whether it had to be compact.
    pub(super) fn draw(&self, text: &mut Text, width: usize) -> bool {
        let roomy = self.blocks(Mode::Roomy, width);
        let blocks = if roomy.len() == 1 { roomy } else { self.blocks(Mode::Compact, width) };
        for block in &blocks {
            if !block.first {
                text.blank();
            }
            self.draw_block(text, block, width);
        }
        blocks.iter().any(|block| block.mode == Mode::Compact)
    }

    /// Distributes the columns over as few blocks as they need.
    fn blocks(&self, mode: Mode, width: usize) -> Vec<Block> {
        let ends = self.rows.iter().map(|row| row.end.width(mode));
        let out = ends.max().unwrap_or(0).max(3);
        let mut blocks: Vec<Block> = Vec::new();
        let mut block = self.new_block(mode, true);
        let mut x = block.left;
        for at in 0..self.columns.len() {
            let needed = self.column_width(at, mode);
            let is_last = at + 1 == self.columns.len();
            // A lane that goes on in the next block shows at least one more dash.
            let reserve = if is_last { out + BETWEEN } else { 1 };
            if !block.places.is_empty() && x + needed + reserve > width {
                blocks.push(block);
                block = self.new_block(mode, false);
                x = block.left;
            }
            block.places.push((at, x, needed));
            x += needed + BETWEEN;
        }
        block.out = x;
        block.last = true;
        blocks.push(block);
        blocks
    }

    fn new_block(&self, mode: Mode, first: bool) -> Block {
        let left = self.left_width(mode, first);
        Block { mode, first, last: false, left, places: Vec::new(), out: left }
    }

    fn column_width(&self, at: usize, mode: Mode) -> usize {
        let column = &self.columns[at];
        let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
        let content = cells.map(|cell| cell_width(cell, mode)).max().unwrap_or(0);
        content.max(width(&column.table)).max(width(column.name(mode)))
    }

    /// The widths of number, start, wait, title, path and input.
    fn left_columns(&self, mode: Mode, first: bool) -> Vec<(&'static str, usize, bool)> {
        let most = |cell: fn(&Row) -> usize, head: &str| {
            self.rows.iter().map(cell).max().unwrap_or(0).max(width(head))
        };
        let number = ("#", most(|row| width(&row.number), "#"), true);
        let path = ("path", most(|row| width(&row.path), "path"), true);
        if !first {
            return vec![number, ("", 1, false)];
        }
        let start = ("µs", most(|row| width(&row.start), "µs"), true);
        let wait = ("Δ", most(|row| width(&row.wait), "Δ"), true);
        let title = ("packet", most(|row| row.title.width(), "packet"), false);
        let input = ("in", most(|row| width(&row.input), "in"), false);
        match mode {
            Mode::Roomy => vec![number, start, wait, title, path, input],
            Mode::Compact => vec![number, start, title, path],
        }
    }

    fn left_width(&self, mode: Mode, first: bool) -> usize {
        self.left_columns(mode, first).iter().map(|(_, width, _)| width + BETWEEN).sum()
    }

    fn draw_block(&self, text: &mut Text, block: &Block, width: usize) {
        self.draw_head(text, block);
        let indent =
            self.left_columns(block.mode, true).first().map_or(0, |(_, wide, _)| wide + BETWEEN);
        for row in &self.rows {
            let mut lane = self.draw_left(row, block);
            let left = lane.width();
            let placed_waits = draw_lane(&mut lane, row, block);
            if !block.first && lane.printed_width() <= left {
                // Its lane has ended in a block before.
                continue;
            }
            text.push(lane);
            draw_labels(text, row, block, &placed_waits);
            for note in row.notes.iter().filter(|_| block.first) {
                let mut start = Line::default();
                start.pad_to(indent);
                let words = note.split_inclusive(' ');
                let words = words.map(|word| chunk(Style::Dim, word.to_owned()));
                text.push_wrapped(start, words.collect(), indent, width);
            }
        }
    }

    fn draw_head(&self, text: &mut Text, block: &Block) {
        let (mut upper, mut lower) = (Line::default(), Line::default());
        for (head, wide, right) in self.left_columns(block.mode, block.first) {
            push_aligned(&mut upper, chunk(Style::Dim, head.to_owned()), wide, right);
        }
        for (at, place, _) in &block.places {
            let column = &self.columns[*at];
            upper.pad_to(*place).push(Style::Dim, column.table.clone());
            lower.pad_to(*place).push(column.style, column.name(block.mode));
        }
        if block.last && block.mode == Mode::Roomy {
            upper.pad_to(block.out).push(Style::Dim, "out");
        }
        text.push(upper);
        text.push(lower);
    }

    fn draw_left(&self, row: &Row, block: &Block) -> Line {
        let mut line = Line::default();
        for (head, wide, right) in self.left_columns(block.mode, block.first) {
            let cell = match head {
                "#" => chunk(Style::Dim, row.number.clone()),
                "µs" => chunk(Style::Plain, row.start.clone()),
                "Δ" => chunk(Style::Dim, row.wait.clone()),
                "packet" => row.title.clone(),
                "path" => chunk(Style::Dim, row.path.clone()),
                "in" => chunk(Style::Strong, row.input.clone()),
                _ => row.title.spans.first().map_or_else(Line::default, |arrow| {
                    chunk(arrow.style, arrow.text.trim_end().to_owned())
                }),
            };
            push_aligned(&mut line, cell, wide, right);
        }
        line
    }
}

impl End {
    fn width(&self, mode: Mode) -> usize {
        match (mode, self) {
            (Mode::Compact, _) => 1,
            (Mode::Roomy, _) => 2 + width(self.parts().2),
        }
    }

    /// The mark, and what it means.
    pub(super) fn parts(&self) -> (Style, &'static str, &str) {
        match self {
            Self::Goes(device) => (Style::Strong, "▶", device),
            Self::Stops(word) => (Style::Bad, "✗", word),
            Self::Unknown(device) => (Style::Doubt, "?", device),
        }
    }
}

fn push_aligned(line: &mut Line, cell: Line, wide: usize, right: bool) {
    let end = line.width() + wide;
    if right {
        line.pad_to(end - cell.width().min(wide));
    }
    line.append(cell).pad_to(end + BETWEEN);
}

fn cell_width(cell: &[Item], mode: Mode) -> usize {
    let labels = cell.iter().flat_map(|item| item.labels(mode)).map(|label| width(&label));
    let widest = labels.max().unwrap_or(0);
    match mode {
        Mode::Roomy => widest.max((2 * cell.len()).saturating_sub(1)),
        // The mark stands before the label.
        Mode::Compact => {
            let waits = cell.iter().filter_map(|item| item.waited(mode));
            waits
                .map(|wait| width(&wait))
                .max()
                .unwrap_or(0)
                .max(widest + usize::from(!cell.is_empty()))
        }
    }
}

/// Draws the lane itself. Returns the columns whose long wait found room on it.
fn draw_lane(line: &mut Line, row: &Row, block: &Block) -> Vec<usize> {
    let mut placed = Vec::new();
    let last_seen = row.cells.iter().rposition(|cell| !cell.is_empty());
    let seen_before = row.cells.iter().position(|cell| !cell.is_empty());
    let first_here = block.places.first().map(|(at, _, _)| *at);
    // In the roomy form the device stands at the left and the lane begins there.
    let mut running = block.mode == Mode::Roomy || seen_before < first_here;
    for (at, place, _) in &block.places {
        let Some(cell) = row.cells.get(*at).filter(|cell| !cell.is_empty()) else { continue };
        let wait = cell.first().and_then(|item| item.wait.as_deref());
        if running && run(line, row.style, *place, wait) {
            placed.push(*at);
        }
        line.pad_to(*place);
        draw_marks(line, row.style, cell, block.mode);
        running = true;
        if last_seen == Some(*at) && !matches!(row.end, End::Goes(_)) {
            let (style, mark, _) = row.end.parts();
            line.push(style, mark);
        }
    }
    draw_end(line, row, block, last_seen);
    placed
}

/// Goes on to the next block, or to the end of the lane.
fn draw_end(line: &mut Line, row: &Row, block: &Block, last_seen: Option<usize>) {
    let Some((last_here, place, wide)) = block.places.last().copied() else { return };
    let goes_on = matches!(row.end, End::Goes(_)) || last_seen > Some(last_here);
    if goes_on {
        let edge = if block.last { block.out } else { place + wide + 1 };
        run(line, row.style, edge, None);
    }
    if !block.last {
        return;
    }
    let (style, mark, word) = row.end.parts();
    match (block.mode, &row.end) {
        (Mode::Compact, End::Goes(_)) => _ = line.push(row.style, mark),
        (Mode::Compact, _) => {}
        (Mode::Roomy, End::Goes(_)) => {
            line.push(row.style, mark).push(style, format!(" {word}"));
        }
        (Mode::Roomy, _) => _ = line.pad_to(block.out).push(style, format!("{mark} {word}")),
    }
}

/// Continues the lane to a place, with the wait in its middle where there is room.
fn run(line: &mut Line, style: Style, to: usize, wait: Option<&str>) -> bool {
    let free = to.saturating_sub(line.width());
    let wait = wait.filter(|wait| width(wait) + 4 <= free);
    if let Some(wait) = wait {
        let before = (free - width(wait) - 2) / 2;
        line.fill_to(line.width() + before, style, '─').push(Style::Gap, format!(" {wait} "));
    }
    line.fill_to(to, style, '─');
    wait.is_some()
}

fn draw_marks(line: &mut Line, way: Style, cell: &[Item], mode: Mode) {
    for (at, item) in cell.iter().enumerate() {
        match mode {
            Mode::Roomy if at > 0 => _ = line.push(way, "─").push(item.style, item.mark),
            Mode::Roomy => _ = line.push(item.style, item.mark),
            Mode::Compact if at > 0 => {}
            Mode::Compact => {
                let label = item.labels(mode).into_iter().next().unwrap_or_default();
                line.push(item.style, item.mark).push(label_style(item), label);
            }
        }
    }
}

/// Draws what stands below the lane.
fn draw_labels(text: &mut Text, row: &Row, block: &Block, placed_waits: &[usize]) {
    let stacks: Vec<(usize, Vec<Line>)> = block
        .places
        .iter()
        .filter_map(|(at, place, _)| {
            let cell = row.cells.get(*at).filter(|cell| !cell.is_empty())?;
            Some((*place, stack(cell, block.mode, placed_waits.contains(at))))
        })
        .collect();
    let deepest = stacks.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    for depth in 0..deepest {
        let mut line = Line::default();
        for (place, lines) in &stacks {
            if let Some(label) = lines.get(depth) {
                line.pad_to(*place).append(label.clone());
            }
        }
        text.push(line);
    }
}

fn stack(cell: &[Item], mode: Mode, wait_is_placed: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for (at, item) in cell.iter().enumerate() {
        let mut labels = item.labels(mode).into_iter().map(|label| chunk(label_style(item), label));
        if mode == Mode::Compact
            && let Some(label) = labels.next()
        {
            let mut line = chunk(item.style, item.mark.to_string());
            line.append(label);
            // The first one stands on the lane already.
            lines.extend((at > 0).then_some(line));
        }
        lines.extend(labels);
        let is_shown = at == 0 && wait_is_placed;
        let wait = item.waited(mode).filter(|_| !is_shown);
        lines.extend(wait.map(|wait| chunk(Style::Gap, wait)));
    }
    lines
}

fn label_style(item: &Item) -> Style {
    if item.style == Style::Nat { Style::Nat } else { Style::Dim }
}
