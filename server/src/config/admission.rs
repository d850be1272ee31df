//! Options of admission, from settings.

use farsign::wire::check_join_token;

use crate::admission::bans::Bans;
use crate::admission::{AdmissionOptions, Origins, TokenDigest, ban_file, check_admin_token};
use crate::config::settings::Settings;
use crate::config::validate::Validator;
use crate::config::{milliseconds, net};
use crate::net::trusted_proxy::TrustedProxies;

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
        egress: net::egress_limits(settings, validator),
        retry_after: milliseconds(settings.retry_after_ms(validator)),
        bans: validator.ok("ban-file", bans).unwrap_or_default(),
        ban_file: settings.ban_file.clone(),
    }
}

fn join_token(settings: &Settings, validator: &mut Validator) -> Option<TokenDigest> {
    let token = check_join_token(settings.join_token.as_deref()?);
    validator.ok("join-token", token).map(TokenDigest::new)
}

/// Reads the token of the admin API; `None` disables the API.
pub(super) fn admin_token(settings: &Settings, validator: &mut Validator) -> Option<TokenDigest> {
    let token = check_admin_token(settings.admin_token.as_deref()?);
    validator.ok("admin-token", token).map(TokenDigest::new)
}
