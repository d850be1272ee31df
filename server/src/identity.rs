//! Identities of volunteers.

pub use farsign::identity::{ParseIdentityError, VolunteerIdentity};
