//! Measured ratios next to their bounds.

/// Number of measurements of a ratio above its bound before the check fails.
const ATTEMPTS: usize = 4;

/// A measured ratio and its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Description of the ratio.
    pub what: String,
    /// Smallest measured ratio.
    pub ratio: f64,
    /// Largest accepted ratio.
    pub bound: f64,
}

impl Verdict {
    /// Measures a ratio, and again while it is above its bound: a disturbance of the machine ends, a slow call remains.
    ///
    /// # Errors
    ///
    /// Returns the first error of `measure`.
    pub fn measure<E>(
        what: String,
        bound: f64,
        mut measure: impl FnMut() -> Result<f64, E>,
    ) -> Result<Self, E> {
        let mut ratio = f64::INFINITY;
        for _ in 0..ATTEMPTS {
            ratio = ratio.min(measure()?);
            if ratio <= bound {
                break;
            }
        }
        Ok(Self { what, ratio, bound })
    }

    /// Returns whether the ratio is at most its bound. NaN is not.
    pub fn is_within_bound(&self) -> bool {
        self.ratio <= self.bound
    }
}

/// Prints all ratios, and returns whether each is within its bound.
pub fn report(verdicts: &[Verdict]) -> bool {
    let width = verdicts.iter().map(|verdict| verdict.what.len()).max();
    let width = width.unwrap_or_default();
    for verdict in verdicts {
        let Verdict { what, ratio, bound } = verdict;
        let mark = if verdict.is_within_bound() {
            ""
        } else {
            "  SLOW"
        };
        println!("{what:width$}  {ratio:6.2}, at most {bound:5.2}{mark}");
    }
    verdicts.iter().all(Verdict::is_within_bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ratios: &[f64]) -> (Verdict, usize) {
        let mut taken = 0;
        let next = || -> Result<f64, std::convert::Infallible> {
            taken += 1;
            Ok(ratios[taken - 1])
        };
        let Ok(verdict) = Verdict::measure("x over y".to_owned(), 2.0, next);
        (verdict, taken)
    }

    #[test]
    fn ratio_above_bound_is_slow() {
        let (slow, taken) = verdict(&[6.0, 3.1, 2.1, 9.0]);
        assert_eq!((slow.ratio, taken), (2.1, ATTEMPTS));
        assert!(!slow.is_within_bound() && !report(&[slow]));
    }

    #[test]
    fn single_disturbance_is_measured_again() {
        let (verdict, taken) = verdict(&[6.0, 1.5]);
        assert!(verdict.is_within_bound() && report(&[verdict]));
        assert_eq!(taken, 2);
    }

    #[test]
    fn missing_number_is_not_within_bound() {
        let (verdict, _) = verdict(&[f64::NAN; ATTEMPTS]);
        assert!(!verdict.is_within_bound(), "{verdict:?}");
    }
}
