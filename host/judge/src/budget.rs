//! What a model may cost.
//!
//! Spending is looked at before each request, so that at most the requests under way go over.

use std::sync::{Mutex, PoisonError};

use crate::question::{Failure, FailureKind};

/// What tokens cost, for each million of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    /// Tokens read.
    pub input: f64,
    /// Tokens written.
    pub output: f64,
}

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn tokens(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// What that costs.
    #[must_use]
    pub fn money(self, prices: Prices) -> f64 {
        (self.prompt_tokens as f64 * prices.input + self.completion_tokens as f64 * prices.output)
            / 1e6
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(more.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(more.completion_tokens);
    }
}

/// What may be spent, and what was.
#[derive(Debug, Default)]
pub struct Budget {
    tokens: Option<u64>,
    money: Option<f64>,
    prices: Prices,
    spent: Mutex<Spent>,
}

impl Budget {
    /// A budget; none is no limit.
    #[must_use]
    pub fn new(tokens: Option<u64>, money: Option<f64>, prices: Prices) -> Self {
        Self { tokens, money, prices, spent: Mutex::default() }
    }

    /// What was spent so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to it.
    pub fn spend(&self, more: Spent) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).add(more);
    }

    /// Whether another request may be sent.
    ///
    /// # Errors
    /// A failure of kind [`FailureKind::Budget`] that says which budget is spent.
    pub fn check(&self) -> Result<(), Failure> {
        let spent = self.spent();
        if let Some(limit) = self.tokens
            && spent.tokens() >= limit
        {
            return Err(Failure::new(
                FailureKind::Budget,
                format!(
                    "{} tokens are spent, `token_budget` is {limit}; raise it and go on with \
                     --resume",
                    spent.tokens()
                ),
            ));
        }
        let money = spent.money(self.prices);
        if let Some(limit) = self.money
            && money >= limit
        {
            return Err(Failure::new(
                FailureKind::Budget,
                format!(
                    "{money:.4} is spent, `money_budget` is {limit}; raise it and go on with \
                     --resume"
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(prompt_tokens: u64, completion_tokens: u64) -> Spent {
        Spent { prompt_tokens, completion_tokens }
    }

    #[test]
    fn tokens_of_both_kinds_count() {
        let budget = Budget::new(Some(100), None, Prices::default());
        budget.spend(spent(60, 39));
        assert!(budget.check().is_ok());
        budget.spend(spent(0, 1));
        let failure = budget.check().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Budget);
        assert!(failure.to_string().starts_with("budget: 100 tokens"), "{failure}");
    }

    #[test]
    fn money_is_tokens_by_their_prices() {
        let prices = Prices { input: 2.0, output: 8.0 };
        assert_eq!(spent(500_000, 250_000).money(prices), 3.0);
        let budget = Budget::new(None, Some(3.0), prices);
        budget.spend(spent(500_000, 249_999));
        assert!(budget.check().is_ok());
        budget.spend(spent(0, 1));
        assert!(budget.check().is_err());
    }

    #[test]
    fn without_limits_nothing_is_ever_spent() {
        let budget = Budget::default();
        budget.spend(spent(u64::MAX, u64::MAX));
        assert!(budget.check().is_ok());
    }
}
