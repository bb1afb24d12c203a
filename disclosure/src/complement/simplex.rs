//! The simplex method for `A x = b`, `x >= 0` with few rows: one feasible corner, then the largest value of one objective
//! after another from wherever the last one ended.

/// Numbers closer to zero are zero; right sides are scaled to at most 1.
const EPSILON: f64 = 1e-9;
/// Steps per objective before giving up, times rows and columns together.
const PATIENCE: usize = 20;

/// A tableau at a feasible corner.
pub(super) struct Simplex {
    /// Rows of coefficients, the right side last.
    rows: Vec<Vec<f64>>,
    basis: Vec<usize>,
    columns: usize,
    scale: f64,
}

/// Why there is no largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The caller had seen enough.
    Enough,
    /// It is reached.
    Optimal,
    /// It takes too many steps.
    Patience,
    /// There is none.
    Unbounded,
}

impl Simplex {
    /// A corner of the equations, each a list of the columns that it adds up and its right side. `None` if they contradict
    /// each other.
    pub(super) fn new(equations: &[(Vec<usize>, f64)], columns: usize) -> Option<Self> {
        let scale = equations.iter().map(|(_, b)| b.abs()).fold(1.0, f64::max);
        let count = equations.len();
        let rows = equations.iter().enumerate().map(|(at, (support, b))| {
            let sign = if *b < 0.0 { -1.0 } else { 1.0 };
            let mut row = vec![0.0; columns + count + 1];
            for column in support {
                put(&mut row, *column, sign);
            }
            put(&mut row, columns + at, 1.0);
            put(&mut row, columns + count, sign * b / scale);
            row
        });
        let mut simplex = Self {
            rows: rows.collect(),
            basis: (columns..columns + count).collect(),
            columns: columns + count,
            scale,
        };
        // First phase: the artificial columns are driven to zero.
        let artificial: Vec<f64> =
            (0..columns + count).map(|column| if column < columns { 0.0 } else { -1.0 }).collect();
        let stopped = simplex.maximise(&artificial, &mut |_| false);
        let left: f64 = simplex
            .basis
            .iter()
            .zip(&simplex.rows)
            .filter(|(basic, _)| columns <= **basic)
            .map(|(_, row)| row.last().copied().unwrap_or_default())
            .sum();
        if stopped != Stopped::Optimal || 1e-7 < left {
            return None;
        }
        simplex.drop_artificial(columns);
        Some(simplex)
    }

    /// Moves towards the largest value of the objective; `visit` sees the values of the columns at every corner and says
    /// whether it has seen enough.
    pub(super) fn maximise(
        &mut self,
        objective: &[f64],
        visit: &mut dyn FnMut(&[f64]) -> bool,
    ) -> Stopped {
        let patience = PATIENCE * (self.rows.len() + self.columns);
        for step in 0..=patience {
            if visit(&self.values()) {
                return Stopped::Enough;
            }
            let gains = self.gains(objective);
            let entering = if step < patience / 2 {
                gains
                    .iter()
                    .enumerate()
                    .filter(|(_, gain)| EPSILON < **gain)
                    .max_by(|(_, a), (_, b)| a.total_cmp(b))
            } else {
                // Bland's rule: never in circles.
                gains.iter().enumerate().find(|(_, gain)| EPSILON < **gain)
            };
            let Some((entering, _)) = entering else { return Stopped::Optimal };
            let Some(leaving) = self.leaving(entering) else { return Stopped::Unbounded };
            self.pivot(leaving, entering);
        }
        Stopped::Patience
    }

    /// What one more of each column adds to the objective.
    fn gains(&self, objective: &[f64]) -> Vec<f64> {
        let mut gains: Vec<f64> = (0..self.columns).map(|column| at(objective, column)).collect();
        for (basic, row) in self.basis.iter().zip(&self.rows) {
            let price = at(objective, *basic);
            if price != 0.0 {
                for (gain, coefficient) in gains.iter_mut().zip(row) {
                    *gain -= price * coefficient;
                }
            }
        }
        gains
    }

    fn leaving(&self, entering: usize) -> Option<usize> {
        let mut best: Option<(f64, usize, usize)> = None;
        for (place, (row, basic)) in self.rows.iter().zip(&self.basis).enumerate() {
            let coefficient = at(row, entering);
            if coefficient <= EPSILON {
                continue;
            }
            let ratio = at(row, self.columns).max(0.0) / coefficient;
            let better = best.is_none_or(|(least, smallest, _)| {
                ratio < least - 1e-12 || (ratio < least + 1e-12 && *basic < smallest)
            });
            if better {
                best = Some((ratio, *basic, place));
            }
        }
        best.map(|(_, _, place)| place)
    }

    fn pivot(&mut self, leaving: usize, entering: usize) {
        let Some(pivot_row) = self.rows.get(leaving).cloned() else { return };
        let pivot = at(&pivot_row, entering);
        let pivot_row: Vec<f64> = pivot_row.iter().map(|number| number / pivot).collect();
        for (place, row) in self.rows.iter_mut().enumerate() {
            let factor = at(row, entering);
            if place == leaving {
                row.clone_from(&pivot_row);
            } else if factor != 0.0 {
                for (number, pivot) in row.iter_mut().zip(&pivot_row) {
                    *number -= factor * pivot;
                }
            }
        }
        if let Some(basic) = self.basis.get_mut(leaving) {
            *basic = entering;
        }
    }

    fn values(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.columns];
        for (basic, row) in self.basis.iter().zip(&self.rows) {
            put(&mut values, *basic, at(row, self.columns).max(0.0) * self.scale);
        }
        values
    }

    /// Leaves the artificial columns out; those that are basic at zero leave the basis, or their row says nothing.
    fn drop_artificial(&mut self, columns: usize) {
        for place in 0..self.rows.len() {
            if self.basis.get(place).is_some_and(|basic| columns <= *basic) {
                let row = self.rows.get(place).map_or(&[][..], Vec::as_slice);
                let entering = (0..columns).find(|column| 1e-7 < at(row, *column).abs());
                if let Some(entering) = entering {
                    self.pivot(place, entering);
                }
            }
        }
        let kept = self.basis.iter().map(|basic| *basic < columns).collect::<Vec<_>>();
        let mut keep = kept.iter();
        self.rows.retain(|_| keep.next() == Some(&true));
        self.basis.retain(|basic| *basic < columns);
        for row in &mut self.rows {
            let right = row.pop().unwrap_or_default();
            row.truncate(columns);
            row.push(right);
        }
        self.columns = columns;
    }
}

fn at(row: &[f64], column: usize) -> f64 {
    row.get(column).copied().unwrap_or_default()
}

fn put(row: &mut [f64], column: usize, number: f64) {
    if let Some(place) = row.get_mut(column) {
        *place = number;
    }
}
