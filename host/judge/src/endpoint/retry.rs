//! When a question is sent again: a pure function of what happened.
//!
//! Passing failures (429, 5xx, a cut connection, a timeout, a garbled reply) are tried again after
//! a wait that doubles and is spread by jitter, so that many questions that failed together do not
//! come back together. An endpoint that says when to come back (`Retry-After`) is not asked
//! earlier; one that wants a longer wait than allowed has failed.

use std::time::{Duration, SystemTime};

/// How patient a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a question is sent again.
    pub retries: u32,
    /// The first wait; doubled each time.
    pub backoff: Duration,
    /// The longest wait.
    pub max_wait: Duration,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it again after this wait.
    Again(Duration),
    /// It was sent often enough.
    Enough,
    /// The endpoint asks for a longer wait than is allowed.
    TooLong(Duration),
}

impl RetryPolicy {
    /// What to do after the `failed`-th failure of a question, counted from 1; `jitter` lies in
    /// [0, 1).
    #[must_use]
    pub fn next(&self, failed: u32, retry_after: Option<Duration>, jitter: f64) -> Step {
        if failed > self.retries {
            return Step::Enough;
        }
        if let Some(asked) = retry_after
            && asked > self.max_wait
        {
            return Step::TooLong(asked);
        }
        let doubled = 2_f64.powi(failed.saturating_sub(1).min(62) as i32);
        let longest = self.max_wait.as_secs_f64();
        let whole = (self.backoff.as_secs_f64() * doubled).min(longest);
        // Half of it for certain, the other half by chance.
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
        let spread = Duration::from_secs_f64(whole * (0.5 + 0.5 * jitter));
        Step::Again(match retry_after {
            // Not earlier than asked, and not all at that moment.
            Some(asked) => (asked
                + Duration::from_secs_f64(self.backoff.as_secs_f64().min(longest) * jitter))
            .max(spread),
            None => spread,
        })
    }
}

/// What a `Retry-After` (or `retry-after-ms`) says, counted from `now`.
pub(crate) fn retry_after(
    seconds: Option<&str>,
    milliseconds: Option<&str>,
    now: SystemTime,
) -> Option<Duration> {
    // A wait beyond all patience, and within what a duration holds.
    const LONGEST: f64 = 1e9;
    let number = |text: &str| {
        text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)
    };
    if let Some(value) = milliseconds.and_then(number) {
        return Some(Duration::from_secs_f64((value / 1000.0).min(LONGEST)));
    }
    let text = seconds?;
    if let Some(value) = number(text) {
        return Some(Duration::from_secs_f64(value.min(LONGEST)));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    const POLICY: RetryPolicy = RetryPolicy {
        retries: 4,
        backoff: Duration::from_millis(500),
        max_wait: Duration::from_secs(3),
    };

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<Step> = (1..=5).map(|failed| POLICY.next(failed, None, 1.0)).collect();
        assert_eq!(
            waits,
            [
                Step::Again(millis(500)),
                Step::Again(millis(1000)),
                Step::Again(millis(2000)),
                Step::Again(millis(3000)),
                Step::Enough
            ]
        );
    }

    #[test]
    fn an_endpoint_that_says_when_is_not_asked_earlier() {
        let asked = Some(millis(2500));
        assert_eq!(POLICY.next(1, asked, 0.0), Step::Again(millis(2500)));
        assert_eq!(POLICY.next(1, asked, 0.5), Step::Again(millis(2750)));
        assert_eq!(POLICY.next(1, Some(millis(3001)), 0.0), Step::TooLong(millis(3001)));
        assert_eq!(POLICY.next(5, asked, 0.0), Step::Enough);
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |seconds, ms| retry_after(seconds, ms, now);
        assert_eq!(read(Some("3"), None), Some(millis(3000)));
        assert_eq!(read(Some(" 0.25 "), None), Some(millis(250)));
        assert_eq!(read(Some("9"), Some("12")), Some(millis(12)));
        assert_eq!(read(Some("Sun, 06 Nov 1994 08:49:40 GMT"), None), Some(millis(3000)));
        assert_eq!(read(Some("Sun, 06 Nov 1994 08:49:30 GMT"), None), Some(Duration::ZERO));
        for nonsense in ["soon", "-3", "NaN", "inf", ""] {
            assert_eq!(read(Some(nonsense), None), None, "{nonsense}");
        }
        assert!(read(Some("1e300"), None).is_some());
        assert_eq!(read(None, None), None);
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_asked_or_longer_than_allowed(
            retries in 0_u32..100,
            backoff in 0_u64..100_000,
            max_wait in 0_u64..1_000_000,
            failed in 1_u32..200,
            asked in proptest::option::of(0_u64..2_000_000),
            jitter in 0.0_f64..1.0,
        ) {
            let policy =
                RetryPolicy { retries, backoff: millis(backoff), max_wait: millis(max_wait) };
            let asked = asked.map(millis);
            match policy.next(failed, asked, jitter) {
                Step::Enough => prop_assert!(failed > retries),
                Step::TooLong(wait) => {
                    prop_assert_eq!(Some(wait), asked);
                    prop_assert!(wait > policy.max_wait);
                }
                Step::Again(wait) => {
                    prop_assert!(failed <= retries);
                    prop_assert!(wait >= asked.unwrap_or_default());
                    let longest = match asked {
                        Some(asked) => {
                            (asked + policy.backoff.min(policy.max_wait)).max(policy.max_wait)
                        }
                        None => policy.max_wait,
                    };
                    // A nanosecond for what floating-point seconds round.
                    prop_assert!(wait <= longest + Duration::from_nanos(1));
                }
            }
        }

        #[test]
        fn later_waits_are_never_shorter(failed in 1_u32..60, jitter in 0.0_f64..1.0) {
            let policy = RetryPolicy { retries: 100, ..POLICY };
            let wait = |failed| match policy.next(failed, None, jitter) {
                Step::Again(wait) => wait,
                other => panic!("{other:?}"),
            };
            prop_assert!(wait(failed) <= wait(failed + 1));
        }
    }
}
