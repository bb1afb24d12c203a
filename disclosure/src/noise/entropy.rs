//! The distribution of largest entropy over given deviations, with mean 0, a given variance, and, where asked for, a
//! probability that only falls away from 0.
//!
//! Without the order the solution is `p(v) = exp(a + b v + c v²)`. With it, neighbours that would be out of order share one
//! probability, so for given `b` and `c` it is an isotonic regression of the exponents (pool adjacent violators), and `b` and
//! `c` are found by Newton's method on the convex dual function.

/// What a distribution is asked to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The deviations that occur, ascending.
    pub(super) deviations: &'a [i32],
    /// The variance, or less where the entropy is larger with less.
    pub(super) variance: f64,
    /// Whether probabilities may not fall towards 0.
    pub(super) order: Order,
    /// The probability of no deviation, if it is given.
    pub(super) stay: Option<f64>,
}

/// What is asked of the order of probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Anything.
    Free,
    /// They rise up to deviation 0 and fall after it.
    Peaked,
}

/// Sums and squares are right to this.
const EXACT: f64 = 1e-11;
/// Newton's method needs about ten steps.
const STEPS: usize = 300;

/// Deviations that share a probability.
#[derive(Debug, Clone)]
struct Block {
    members: Vec<i32>,
    count: f64,
    mean: f64,
    square: f64,
}

impl Block {
    fn of(deviation: i32) -> Self {
        let v = f64::from(deviation);
        Self { members: vec![deviation], count: 1.0, mean: v, square: v * v }
    }

    fn with(mut self, other: Self) -> Self {
        let count = self.count + other.count;
        self.mean = (self.mean * self.count + other.mean * other.count) / count;
        self.square = (self.square * self.count + other.square * other.count) / count;
        self.count = count;
        self.members.extend(other.members);
        self
    }

    fn exponent(&self, at: [f64; 2]) -> f64 {
        let [linear, quadratic] = at;
        linear * self.mean + quadratic * self.square
    }
}

/// The dual function at a point, with its derivatives.
struct Dual {
    value: f64,
    gradient: [f64; 2],
    /// The second derivatives: of the mean, mixed, of the square.
    curvature: [f64; 3],
    probabilities: Vec<(i32, f64)>,
}

/// The probabilities of the deviations in their order; `None` where there is no such distribution.
pub(super) fn largest_entropy(wanted: &Wanted<'_>) -> Option<Vec<f64>> {
    let stay = wanted.stay.filter(|_| wanted.deviations.contains(&0));
    let wanted = &Wanted { stay, ..*wanted };
    let Wanted { deviations, variance, .. } = *wanted;
    let mass = 1.0 - stay.unwrap_or(0.0);
    if mass < EXACT {
        return Some(deviations.iter().map(|v| if *v == 0 { 1.0 } else { 0.0 }).collect());
    }
    // The variance is a bound: first without it, and with it only if it is exceeded.
    let free = minimise(wanted, None);
    let exceeds = |dual: &Dual| {
        dual.probabilities.iter().map(|(v, p)| mass * p * f64::from(v * v)).sum::<f64>()
            > variance + EXACT
    };
    let dual = match free {
        Some(dual) if !exceeds(&dual) => dual,
        Some(_) | None => minimise(wanted, Some(variance / mass))?,
    };
    let of = |v: &i32| match (stay, *v) {
        (Some(stay), 0) => stay,
        _ => dual
            .probabilities
            .iter()
            .find(|(other, _)| other == v)
            .map_or(0.0, |(_, probability)| mass * probability),
    };
    let probabilities: Vec<f64> = deviations.iter().map(of).collect();
    let largest = probabilities.iter().copied().fold(0.0, f64::max);
    let peaked = stay.is_none_or(|stay| wanted.order == Order::Free || largest <= stay);
    peaked.then_some(probabilities)
}

/// Newton's method with halved steps. `None` if the asked for moments are not attainable.
fn minimise(wanted: &Wanted<'_>, square: Option<f64>) -> Option<Dual> {
    let mut at = [0.0, 0.0];
    let mut here = dual(wanted, square, at);
    for _ in 0..STEPS {
        let [mean, excess] = here.gradient;
        if mean.abs() < EXACT && excess.abs() < EXACT {
            return Some(here);
        }
        let [a, b, c] = here.curvature;
        let determinant = a * c - b * b;
        let mut step = match square {
            None => [-mean / a, 0.0],
            Some(_) => {
                [-(c * mean - b * excess) / determinant, -(a * excess - b * mean) / determinant]
            }
        };
        if step.iter().any(|step| !step.is_finite()) {
            return None;
        }
        let mut next = None;
        for _ in 0..60 {
            let [linear, quadratic] = at;
            let [along, across] = step;
            let there = [linear + along, quadratic + across];
            let dual = dual(wanted, square, there);
            if dual.value.is_finite() && dual.value <= here.value + 1e-15 {
                next = Some((there, dual));
                break;
            }
            step = step.map(|step| step / 2.0);
        }
        (at, here) = next?;
    }
    None
}

fn dual(wanted: &Wanted<'_>, square: Option<f64>, at: [f64; 2]) -> Dual {
    let blocks = blocks(wanted, at);
    let top = blocks.iter().map(|block| block.exponent(at)).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> =
        blocks.iter().map(|block| block.count * (block.exponent(at) - top).exp()).collect();
    let all: f64 = weights.iter().sum();
    let expected = |of: &dyn Fn(&Block) -> f64| -> f64 {
        blocks.iter().zip(&weights).map(|(block, weight)| of(block) * weight / all).sum()
    };
    let (mean, second) = (expected(&|block| block.mean), expected(&|block| block.square));
    let target = square.unwrap_or(second);
    let [_, quadratic] = at;
    let curvature = [
        expected(&|block| (block.mean - mean).powi(2)),
        expected(&|block| (block.mean - mean) * (block.square - second)),
        expected(&|block| (block.square - second).powi(2)),
    ];
    let probabilities = blocks
        .iter()
        .zip(&weights)
        .flat_map(|(block, weight)| {
            block.members.iter().map(move |v| (*v, weight / all / block.count))
        })
        .collect();
    Dual {
        value: top + all.ln() - quadratic * target,
        gradient: [mean, second - target],
        curvature,
        probabilities,
    }
}

/// The deviations, those that would be out of order pooled.
fn blocks(wanted: &Wanted<'_>, at: [f64; 2]) -> Vec<Block> {
    let stays = wanted.stay.is_some();
    let others = wanted.deviations.iter().copied().filter(|v| *v != 0 || !stays);
    let has_peak = wanted.deviations.contains(&0);
    if wanted.order == Order::Free || !has_peak {
        return others.map(Block::of).collect();
    }
    let mut left = rising(wanted.deviations.iter().copied().filter(|v| *v < 0), at);
    let mut right = rising(wanted.deviations.iter().copied().rev().filter(|v| 0 < *v), at);
    if !stays {
        let mut peak = Block::of(0);
        let end = |side: &[Block]| {
            side.last().map_or(f64::NEG_INFINITY, |block: &Block| block.exponent(at))
        };
        loop {
            let higher = if end(&left) < end(&right) { &mut right } else { &mut left };
            match higher.pop_if(|block| peak.exponent(at) < block.exponent(at)) {
                Some(block) => peak = peak.with(block),
                None => break,
            }
        }
        left.push(peak);
    }
    left.extend(right);
    left
}

/// Pools neighbours until exponents rise.
fn rising(deviations: impl Iterator<Item = i32>, at: [f64; 2]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for deviation in deviations {
        let mut block = Block::of(deviation);
        while let Some(before) = blocks.pop_if(|before| block.exponent(at) < before.exponent(at)) {
            block = before.with(block);
        }
        blocks.push(block);
    }
    blocks
}
