//! Options of admission, from settings.

use farsign::wire::MAX_TOKEN_BYTES;

use crate::admission::bans::Bans;
use crate::admission::{AdmissionOptions, Origins, TokenDigest, ban_file};
use crate::config::milliseconds;
use crate::config::settings::Settings;
use crate::config::validate::Validator;
use crate::net::trusted_proxy::TrustedProxies;

/// Shortest admin token, which must resist guessing.
const MIN_ADMIN_TOKEN_BYTES: usize = 16;

/// Builds the options of admission.
pub(super) fn options(settings: &Settings, validator: &mut Validator) -> AdmissionOptions {
    let origins = settings.allow_origin.as_deref().map(Origins::read);
    let proxies = settings.trusted_proxy.as_deref().map(TrustedProxies::read);
    let bans = settings
        .ban_file
        .as_deref()
        .map_or(Ok(Bans::default()), ban_file::read);
    AdmissionOptions {
        origins: validator
            .ok("allow-origin", origins.transpose())
            .flatten()
            .unwrap_or_default(),
        join_token: join_token(settings, validator),
        trusted_proxies: validator
            .ok("trusted-proxy", proxies.transpose())
            .flatten()
            .unwrap_or_default(),
        max_volunteers: settings.max_volunteers(validator) as usize,
        max_volunteers_per_address: settings.max_volunteers_per_address(validator) as usize,
        joins_per_minute: settings.joins_per_minute(validator),
        retry_after: milliseconds(settings.retry_after_ms(validator)),
        bans: validator.ok("ban-file", bans).unwrap_or_default(),
        ban_file: settings.ban_file.clone(),
    }
}

fn join_token(settings: &Settings, validator: &mut Validator) -> Option<TokenDigest> {
    let token = settings.join_token.as_deref()?;
    if !(1..=MAX_TOKEN_BYTES).contains(&token.len()) {
        let found = token.len();
        validator.error(format!(
            "join-token: expected 1 to {MAX_TOKEN_BYTES} bytes, found {found}"
        ));
    }
    Some(TokenDigest::new(token))
}

/// Reads the token of the admin API; `None` disables the API.
pub(super) fn admin_token(settings: &Settings, validator: &mut Validator) -> Option<TokenDigest> {
    let token = settings.admin_token.as_deref()?;
    if token.len() < MIN_ADMIN_TOKEN_BYTES {
        let found = token.len();
        validator.error(format!(
            "admin-token: expected at least {MIN_ADMIN_TOKEN_BYTES} bytes, found {found}"
        ));
    }
    Some(TokenDigest::new(token))
}
