//! A benchmark's report as people read it.

use fleet_bench::{Figure, Report, Spread};

use crate::output::{Cell, Hue, Page, Table, count};

/// The tables of a report: medians, how far the rounds lie apart, and what was to be reached.
pub(super) fn report(report: &Report, page: &mut Page) {
    let rounds = report.rows.first().map_or(0, |row| row.rounds.len());
    page.heading(&format!("{}: medians of {rounds} rounds", report.bench));
    page.table(&medians(report), "");
    page.heading("Round by round");
    page.table(&spreads(report), "");
    if !report.verdicts.is_empty() {
        page.heading("Targets");
        page.table(&targets(report), "");
    }
    page.hued(Hue::Dim, &report.server);
}

/// A column for each figure that anybody has.
fn medians(report: &Report) -> Table {
    let figures = measured(report);
    let titles: Vec<&'static str> = figures.iter().map(|figure| figure.title()).collect();
    let mut table = Table::new(&[&["ENTRANT", ">JOBS"], titles.as_slice()].concat());
    for row in &report.rows {
        let cells = figures.iter().map(|figure| {
            let median = row.figures.get(figure).map(|spread| spread.median);
            Cell::from(median.map_or(String::new(), number))
        });
        let jobs = if row.jobs > 0 {
            count(row.jobs as i64)
        } else {
            String::new()
        };
        table.row(
            [Cell::from(row.entrant), jobs.into()]
                .into_iter()
                .chain(cells),
        );
    }
    table
}

fn measured(report: &Report) -> Vec<Figure> {
    let all = report.rows.iter().flat_map(|row| row.figures.keys());
    let mut all: Vec<Figure> = all.copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The leading figure of each, in every round.
fn spreads(report: &Report) -> Table {
    let lead = measured(report).first().copied();
    let title = lead.map_or("", Figure::title);
    let mut table = Table::new(&["ENTRANT", title, ">FIRST BY THIS", "ROUNDS"]);
    for row in &report.rows {
        let own = lead.and_then(|lead| row.figures.get(&lead));
        let ratio = row.first_against_it.as_ref();
        let turns = row.rounds.iter().filter_map(|turn| turn.get(&lead?));
        let turns: Vec<String> = turns.map(|value| number(*value)).collect();
        let told = |of: Option<&Spread>| of.map_or(String::new(), spread);
        table.row(
            [
                row.entrant.to_owned(),
                told(own),
                told(ratio),
                turns.join(" "),
            ]
            .map(Cell::from),
        );
    }
    table
}

fn targets(report: &Report) -> Table {
    let mut table = Table::new(&["", "TARGET", "WANTED", "SEEN"]);
    for verdict in &report.verdicts {
        let (hue, word) = if verdict.met {
            (Hue::Green, "met")
        } else {
            (Hue::Red, "MISSED")
        };
        let seen = verdict
            .seen
            .as_ref()
            .map_or("not measured".to_owned(), spread);
        table.row([
            Cell::new(hue, word),
            verdict.target.into(),
            verdict.wanted.as_str().into(),
            seen.into(),
        ]);
    }
    table
}

/// `1.52 (1.40 to 1.61)`
fn spread(spread: &Spread) -> String {
    let [median, least, most] = [spread.median, spread.least, spread.most].map(number);
    format!("{median} ({least} to {most})")
}

fn number(value: f64) -> String {
    if value >= 100.0 {
        count(value.round() as i64)
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_figures_or_more() {
        let said = [0.551, 9.0, 12.34, 38_812.4].map(number);
        assert_eq!(said, ["0.55", "9.00", "12.3", "38,812"]);
    }
}
