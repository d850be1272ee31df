//! Values that make a state faster to work with, and decide nothing.

/// A value that is attached to a state, or `None` where there is none. It takes no part in comparisons: states that
/// differ in their attachments alone lead to the same results.
#[derive(Clone, Debug)]
pub struct Attached<T>(pub Option<T>);

impl<T> Attached<T> {
    /// Returns the value. `None` if there is none.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Default for Attached<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<T> for Attached<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> PartialEq for Attached<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
