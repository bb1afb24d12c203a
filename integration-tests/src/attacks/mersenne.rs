//! The Mersenne Twister as Python's `random` uses it, so that the fixture's bytes are those of the script that the
//! corpus was published with. Not for secrets: everything it gives is public.

const LENGTH: usize = 624;
const MIDDLE: usize = 397;

/// Kinderman and Monahan's constant, `4 e^(-1/2) / sqrt 2`.
const RATIO: f64 = 1.715_527_769_921_413_5;

/// The generator, seeded like `random.Random(seed)`.
#[derive(Debug, Clone)]
pub struct Mersenne {
    state: [u32; LENGTH],
    at: usize,
}

impl Mersenne {
    /// Seeded with a number below 2^32.
    pub fn new(seed: u32) -> Self {
        let mut state = linear(19_650_218);
        let (mut i, mut before) = (1, state[0]);
        for _ in 0..LENGTH {
            let mixed = (before ^ (before >> 30)).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ mixed).wrapping_add(seed);
            before = state[i];
            i += 1;
            if i == LENGTH {
                state[0] = state[LENGTH - 1];
                i = 1;
            }
        }
        for _ in 1..LENGTH {
            let mixed = (before ^ (before >> 30)).wrapping_mul(1_566_083_941);
            let index = u32::try_from(i).expect("an index below 624");
            state[i] = (state[i] ^ mixed).wrapping_sub(index);
            before = state[i];
            i += 1;
            if i == LENGTH {
                state[0] = state[LENGTH - 1];
                before = state[0];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, at: LENGTH }
    }

    /// Uniform in [0, 1), 53 bits: `random()`.
    pub fn unit(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// Uniform in 0..limit: `randrange(limit)`.
    pub fn below(&mut self, limit: u32) -> u32 {
        let bits = 32 - limit.leading_zeros();
        loop {
            let drawn = self.word() >> (32 - bits);
            if drawn < limit {
                return drawn;
            }
        }
    }

    /// One of these: `choice(items)`.
    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let limit = u32::try_from(items.len()).expect("a short list");
        &items[self.below(limit) as usize]
    }

    /// `uniform(low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// `lognormvariate(mu, sigma)`.
    pub fn log_normal(&mut self, mu: f64, sigma: f64) -> f64 {
        loop {
            let (first, second) = (self.unit(), 1.0 - self.unit());
            let z = RATIO * (first - 0.5) / second;
            if z * z / 4.0 <= -second.ln() {
                // Not fused: Python's is not, and the last bit would differ.
                return (mu + z * sigma).exp();
            }
        }
    }

    fn word(&mut self) -> u32 {
        if self.at == LENGTH {
            self.turn();
        }
        let mut word = self.state[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn turn(&mut self) {
        for i in 0..LENGTH {
            let joined =
                (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % LENGTH] & 0x7fff_ffff);
            let twist = if joined & 1 == 0 { 0 } else { 0x9908_b0df };
            self.state[i] = self.state[(i + MIDDLE) % LENGTH] ^ (joined >> 1) ^ twist;
        }
        self.at = 0;
    }
}

fn linear(seed: u32) -> [u32; LENGTH] {
    let mut state = [seed; LENGTH];
    for i in 1..LENGTH {
        let before = state[i - 1];
        let index = u32::try_from(i).expect("an index below 624");
        state[i] = (before ^ (before >> 30)).wrapping_mul(1_812_433_253).wrapping_add(index);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::Mersenne;

    /// What Python 3.11 gives for `random.Random(20240317)`.
    #[test]
    fn the_numbers_are_those_of_python() {
        let mut python = Mersenne::new(20_240_317);
        let expected = [0.311_408_196_197_492_5, 0.378_481_888_059_172_6];
        assert_eq!([python.unit(), python.unit()].map(f64::to_bits), expected.map(f64::to_bits));
        assert_eq!(python.below(31), 9);
        assert_eq!(python.below(182), 140);
        assert_eq!(python.log_normal(4.5, 1.6).to_bits(), 14.595_545_475_662_904_f64.to_bits());
        assert_eq!(*python.of(&[1, 2, 3]), 2);
    }
}
