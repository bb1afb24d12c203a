//! A small seeded generator: the demonstration's data must be the same bytes on every machine and in every release.
//!
//! xoshiro256** seeded by splitmix64 (public domain algorithms of Blackman and Vigna). Integers only: no float rounding,
//! no library whose next version draws differently. Never a source of secrets.

/// The state of the generator.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// A stream of its own for every pair of seed and name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut mixer = name.bytes().fold(seed, |state, byte| splitmix(state ^ u64::from(byte)).1);
        let state = std::array::from_fn(|_| {
            let (next, word) = splitmix(mixer);
            mixer = next;
            word
        });
        Self { state }
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `bound`; zero where `bound` is zero. The bias is below `bound / 2^64`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }

    /// True in `percent` of 100 draws.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A positive number whose logarithm is spread like a bell over six orders of magnitude: most seizures are small,
    /// a few are huge.
    pub(crate) fn skewed(&mut self) -> u64 {
        let octave = self.below(8) + self.below(8) + self.below(8);
        (1 << octave) + self.below(1 << octave)
    }

    /// One of the choices, each as often as its weight says; `None` only where all weights are zero.
    pub(crate) fn choose<'a, T>(&mut self, choices: &'a [(T, u32)]) -> Option<&'a T> {
        let total = choices.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (choice, weight) in choices {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return Some(choice),
            }
        }
        None
    }
}

fn splitmix(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, word ^ (word >> 31))
}

#[cfg(test)]
mod tests {
    use super::{Random, splitmix};

    #[test]
    fn the_stream_is_the_published_one() {
        // First words of splitmix64 from state 0, and of xoshiro256** from state 1, 2, 3, 4, as published by the authors.
        let (state, first) = splitmix(0);
        assert_eq!((first, splitmix(state).1), (0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4));
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!(
            [random.next(), random.next(), random.next(), random.next()],
            [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]
        );
    }

    #[test]
    fn draws_follow_weights_and_stay_below_their_bound() {
        let mut random = Random::new(1, "test");
        let mut seen = [0; 3];
        for _ in 0..10_000 {
            seen[*random.choose(&[(0, 1), (1, 0), (2, 3)]).unwrap()] += 1;
            assert!(random.below(7) < 7);
        }
        assert_eq!(seen[1], 0);
        assert!((2_300..2_700).contains(&seen[0]), "{seen:?}");
        assert_eq!(random.choose::<u8>(&[]), None);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn names_give_streams_of_their_own() {
        assert_ne!(Random::new(1, "kr").next(), Random::new(1, "th").next());
        assert_ne!(Random::new(1, "kr").next(), Random::new(2, "kr").next());
        assert_eq!(Random::new(1, "kr").next(), Random::new(1, "kr").next());
    }
}
