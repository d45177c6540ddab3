//! The best assignment of many clients to partners with several slots each: as many clients as possible, at the least total cost.
//!
//! Successive shortest paths with potentials (the Hungarian method), where a partner is one column that ends a path as long as it has a
//! free slot, instead of as many equal columns as it has slots. Each client adds one path; what it finds is optimal after each.
//! Pure, and of no use of anything but numbers.

/// What leaving a client out costs: more than any assignment, so that nobody is left out who need not be.
const LEFT_OUT: f64 = 1e6;

/// Costs of pairs, row by row; a pair that is out of the question costs `f64::INFINITY`.
#[derive(Clone, Debug)]
pub struct Costs {
    rows: usize,
    columns: usize,
    cells: Vec<f64>,
}

impl Costs {
    /// Of `rows` clients and `columns` partners, each pair asked for once.
    pub fn of(rows: usize, columns: usize, mut cost: impl FnMut(usize, usize) -> f64) -> Self {
        let mut cells = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            cells.extend((0..columns).map(|column| cost(row, column)));
        }
        Self {
            rows,
            columns,
            cells,
        }
    }

    /// A client's costs.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.cells[row * self.columns..(row + 1) * self.columns]
    }
}

/// For each client its partner, if it has one. `slots[column]` is how many a partner takes.
pub fn solve(costs: &Costs, slots: &[usize]) -> Vec<Option<usize>> {
    assert_eq!(slots.len(), costs.columns, "slots of every partner");
    let mut state = State {
        row_prices: vec![0.0; costs.rows],
        column_prices: vec![0.0; costs.columns],
        partner_of: vec![None; costs.rows],
        clients_of: vec![Vec::new(); costs.columns],
    };
    for row in 0..costs.rows {
        state.add(costs, slots, row);
    }
    state.partner_of
}

/// Who has whom so far, and the prices that prove it optimal: no pair costs less than its two prices, and every pair that is costs
/// just that. A column with a free slot has the price 0.
struct State {
    row_prices: Vec<f64>,
    column_prices: Vec<f64>,
    partner_of: Vec<Option<usize>>,
    clients_of: Vec<Vec<usize>>,
}

/// Where a shortest path ends: at a partner with a free slot, or at a client that is left out.
#[derive(Clone, Copy)]
enum End {
    Column(usize),
    LeftOut(usize),
}

/// The search for one client's path.
struct Search {
    distances: Vec<f64>,
    reached_from: Vec<usize>,
    done: Vec<bool>,
    /// Clients reached, each at its distance.
    rows: Vec<(usize, f64)>,
    left_out: (f64, usize),
}

impl State {
    fn add(&mut self, costs: &Costs, slots: &[usize], row: usize) {
        let mut search = Search {
            distances: vec![f64::INFINITY; costs.columns],
            reached_from: vec![row; costs.columns],
            done: vec![false; costs.columns],
            rows: Vec::new(),
            left_out: (f64::INFINITY, row),
        };
        self.reach(costs, &mut search, row, 0.0);
        let (length, end) = loop {
            let nearest = nearest(&search);
            match nearest {
                Some(column) if search.distances[column] < search.left_out.0 => {
                    let distance = search.distances[column];
                    if self.clients_of[column].len() < slots[column] {
                        break (distance, End::Column(column));
                    }
                    search.done[column] = true;
                    for client in self.clients_of[column].clone() {
                        self.reach(costs, &mut search, client, distance);
                    }
                }
                _ => break (search.left_out.0, End::LeftOut(search.left_out.1)),
            }
        };
        self.reprice(&search, length);
        self.augment(&search, row, end);
    }

    /// Relaxes every column from a client at a distance.
    fn reach(&self, costs: &Costs, search: &mut Search, row: usize, distance: f64) {
        search.rows.push((row, distance));
        let base = distance - self.row_prices[row];
        if base + LEFT_OUT < search.left_out.0 {
            search.left_out = (base + LEFT_OUT, row);
        }
        let prices = &self.column_prices;
        for (column, cost) in costs.row(row).iter().enumerate() {
            let through = base + cost - prices[column];
            if through < search.distances[column] && !search.done[column] {
                search.distances[column] = through;
                search.reached_from[column] = row;
            }
        }
    }

    fn reprice(&mut self, search: &Search, length: f64) {
        for (column, done) in search.done.iter().enumerate() {
            if *done {
                self.column_prices[column] += search.distances[column] - length;
            }
        }
        for (row, distance) in &search.rows {
            self.row_prices[*row] += length - distance;
        }
    }

    /// Walks the path back, moving each client on it to the partner through which it was left.
    fn augment(&mut self, search: &Search, row: usize, end: End) {
        let (mut client, mut to) = match end {
            End::Column(column) => (search.reached_from[column], Some(column)),
            End::LeftOut(client) => (client, None),
        };
        loop {
            let from = self.partner_of[client];
            if let Some(from) = from {
                self.clients_of[from].retain(|it| *it != client);
            }
            self.partner_of[client] = to;
            if let Some(to) = to {
                self.clients_of[to].push(client);
            }
            match from {
                Some(from) if client != row => {
                    client = search.reached_from[from];
                    to = Some(from);
                }
                _ => return,
            }
        }
    }
}

fn nearest(search: &Search) -> Option<usize> {
    let mut best = None;
    let mut least = f64::INFINITY;
    for (column, distance) in search.distances.iter().enumerate() {
        if *distance < least && !search.done[column] {
            (best, least) = (Some(column), *distance);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many are assigned, and what that costs.
    fn worth(costs: &Costs, found: &[Option<usize>]) -> (usize, f64) {
        let pairs = found
            .iter()
            .enumerate()
            .filter_map(|(row, column)| Some((row, (*column)?)));
        let each: Vec<f64> = pairs.map(|(row, column)| costs.row(row)[column]).collect();
        (each.len(), each.iter().sum())
    }

    /// The best there is, by trying everything.
    fn brute(costs: &Costs, slots: &mut [usize], row: usize) -> (usize, f64) {
        if row == costs.rows {
            return (0, 0.0);
        }
        let mut best = brute(costs, slots, row + 1);
        for column in 0..costs.columns {
            let cost = costs.row(row)[column];
            if slots[column] == 0 || cost.is_infinite() {
                continue;
            }
            slots[column] -= 1;
            let (count, sum) = brute(costs, slots, row + 1);
            slots[column] += 1;
            let with = (count + 1, sum + cost);
            if with.0 > best.0 || with.0 == best.0 && with.1 < best.1 {
                best = with;
            }
        }
        best
    }

    fn problems() -> impl Strategy<Value = (Costs, Vec<usize>)> {
        (1usize..=8, 1usize..=8).prop_flat_map(|(rows, columns)| {
            let cell = prop_oneof![8 => -1.0..0.2f64, 1 => Just(f64::INFINITY), 1 => Just(-0.5)];
            let cells = proptest::collection::vec(cell, rows * columns);
            let slots = proptest::collection::vec(0usize..4, columns);
            (cells, slots).prop_map(move |(cells, slots)| {
                (
                    Costs {
                        rows,
                        columns,
                        cells,
                    },
                    slots,
                )
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn it_equals_brute_force((costs, slots) in problems()) {
            let found = solve(&costs, &slots);
            for (column, most) in slots.iter().enumerate() {
                prop_assert!(found.iter().filter(|it| **it == Some(column)).count() <= *most);
            }
            let (count, sum) = worth(&costs, &found);
            let (most, least) = brute(&costs, &mut slots.clone(), 0);
            prop_assert_eq!(count, most);
            prop_assert!((sum - least).abs() < 1e-9, "{} is not {}", sum, least);
        }
    }

    #[test]
    fn nobody_wants_to_be_left_out_and_somebody_must() {
        let costs = Costs::of(3, 1, |row, _| -(row as f64));
        assert_eq!(solve(&costs, &[2]), [None, Some(0), Some(0)]);
        assert_eq!(solve(&costs, &[0]), [None; 3]);
        assert_eq!(
            solve(&Costs::of(0, 2, |_, _| 0.0), &[1, 1]),
            Vec::<Option<usize>>::new()
        );
    }

    #[test]
    fn a_client_gives_way_where_that_is_better_for_all() {
        // Both prefer the first partner; the second client loses more elsewhere.
        let cells = [[-0.9, -0.8], [-0.9, -0.1]];
        let costs = Costs::of(2, 2, |row, column| cells[row][column]);
        assert_eq!(solve(&costs, &[1, 1]), [Some(1), Some(0)]);
    }
}
