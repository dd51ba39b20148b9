//! Streams of random numbers: one a purpose, all from the seed, so that removing one
//! client or fault does not shift what the others draw.

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of `name`, number `index`, of a seed.
    #[must_use]
    pub fn stream(seed: u64, name: &str, index: u64) -> Self {
        let mut state = seed ^ 0x5851_f42d_4c95_7f2d;
        for byte in name.bytes().chain(index.to_le_bytes()) {
            state = mix(state ^ u64::from(byte)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
        Self(state)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// In [0, n); 0 when n is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.draw() % n }
    }

    /// In [low, high].
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Around `mean`, many short and a few up to five times as long.
    pub fn around(&mut self, mean: u64) -> u64 {
        let half = self.between(0, mean);
        if self.chance(100) {
            mean + self.between(0, 4 * mean)
        } else {
            mean / 2 + half
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
