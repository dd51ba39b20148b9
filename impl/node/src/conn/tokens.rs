//! The connection throttle: a bucket of tokens that connects take from and time refills.

use crate::settings::ConnectionTokens;
use zk_tree::Mutant;

/// What a connect costs under weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Global,
    Renew,
    Local,
}

impl Weight {
    fn tokens(self, settings: &ConnectionTokens) -> u32 {
        match self {
            Self::Global => settings.global_weight,
            Self::Renew => settings.renew_weight,
            Self::Local => settings.local_weight,
        }
    }
}

#[derive(Debug)]
pub struct Tokens {
    settings: ConnectionTokens,
    left: u32,
    filled_at_ms: u64,
    frozen_at_ms: u64,
    /// Chance of dropping a connect although tokens are left, 0 to 1.
    drop_chance: f64,
}

impl Tokens {
    #[must_use]
    pub fn new(mut settings: ConnectionTokens, now_ms: u64) -> Self {
        if settings.weighted {
            // Under weights the settings count global sessions.
            settings.tokens = settings.tokens.saturating_mul(settings.global_weight);
            settings.fill_count = settings.fill_count.saturating_mul(settings.global_weight);
        }
        Self {
            settings,
            left: settings.tokens,
            filled_at_ms: now_ms,
            frozen_at_ms: now_ms,
            drop_chance: 0.0,
        }
    }

    /// `random` is a number in [0, 1) of the host's source. False: close the connection silently.
    // spec: CP-THR-06
    pub fn take(&mut self, now_ms: u64, weight: Weight, random: f64) -> bool {
        if self.settings.tokens == 0 || Mutant::TokensEndless.acts() {
            return true;
        }
        self.refill(now_ms);
        let price = if self.settings.weighted {
            weight.tokens(&self.settings)
        } else {
            1
        };
        if self.left < price || self.drops(now_ms, random) {
            return false;
        }
        self.left -= price;
        true
    }

    fn refill(&mut self, now_ms: u64) {
        let period = u64::from(self.settings.fill_time_ms.max(1));
        let periods = now_ms.saturating_sub(self.filled_at_ms) / period;
        let refill = periods.saturating_mul(u64::from(self.settings.fill_count));
        let full = u64::from(self.settings.tokens);
        self.left = u32::try_from((u64::from(self.left) + refill).min(full)).unwrap_or(self.left);
        self.filled_at_ms += periods * period;
    }

    fn drops(&mut self, now_ms: u64, random: f64) -> bool {
        let Some(freeze_ms) = self.settings.freeze_time_ms else {
            return false;
        };
        if now_ms.saturating_sub(self.frozen_at_ms) >= u64::from(freeze_ms) {
            self.frozen_at_ms = now_ms;
            let enough = f64::from(self.settings.tokens) * self.settings.decrease_ratio;
            let step = if self.left == 0 {
                self.settings.drop_increase
            } else if f64::from(self.left) > enough {
                -self.settings.drop_decrease
            } else {
                0.0
            };
            self.drop_chance = (self.drop_chance + step).clamp(0.0, 1.0);
        }
        random < self.drop_chance
    }

    #[must_use]
    pub fn drop_chance(&self) -> f64 {
        self.drop_chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ConnectionTokens {
        ConnectionTokens {
            tokens: 3,
            fill_count: 2,
            fill_time_ms: 100,
            ..Default::default()
        }
    }

    #[test]
    fn connects_take_tokens_and_time_brings_them_back() {
        // spec: CP-THR-06
        let mut tokens = Tokens::new(settings(), 0);
        let taken = |tokens: &mut Tokens, now| {
            (0..5)
                .filter(|_| tokens.take(now, Weight::Global, 0.5))
                .count()
        };
        assert_eq!(taken(&mut tokens, 0), 3);
        assert_eq!(taken(&mut tokens, 99), 0);
        assert_eq!(taken(&mut tokens, 100), 2);
        assert_eq!(taken(&mut tokens, 10_000), 3);
    }

    #[test]
    fn weights_make_new_sessions_dearer() {
        // spec: CP-THR-06
        let mut tokens = Tokens::new(
            ConnectionTokens {
                weighted: true,
                ..settings()
            },
            0,
        );
        // Three global sessions' worth: nine.
        assert!(tokens.take(0, Weight::Global, 0.5));
        assert!(tokens.take(0, Weight::Global, 0.5));
        assert!(tokens.take(0, Weight::Renew, 0.5));
        assert!(!tokens.take(0, Weight::Global, 0.5));
        assert!(tokens.take(0, Weight::Local, 0.5));
        assert!(!tokens.take(0, Weight::Local, 0.5));
        assert!(tokens.take(100, Weight::Global, 0.5));
    }

    #[test]
    fn without_a_limit_everybody_enters() {
        // spec: CP-THR-06
        let mut tokens = Tokens::new(ConnectionTokens::default(), 0);
        assert!((0..1000).all(|_| tokens.take(0, Weight::Global, 0.0)));
    }

    #[test]
    fn a_dry_bucket_raises_the_chance_to_be_dropped() {
        // spec: CP-THR-06
        let dry = ConnectionTokens {
            tokens: 1,
            fill_time_ms: 1000,
            freeze_time_ms: Some(10),
            drop_increase: 0.5,
            ..settings()
        };
        let mut tokens = Tokens::new(dry, 0);
        assert!(tokens.take(0, Weight::Global, 0.9));
        tokens.left = 0;
        tokens.settings.decrease_ratio = 1.0;
        assert!(!tokens.drops(20, 0.9));
        assert!((tokens.drop_chance() - 0.5).abs() < 1e-9);
        assert!(tokens.drops(25, 0.4));
    }
}
