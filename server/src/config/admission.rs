//! Settings on who may join.

use std::time::Duration;

use farsign::wire::MAX_TOKEN_BYTES;

use super::Checker;
use crate::admission::bans::Bans;
use crate::admission::{AdmissionOptions, Origins, Token, TrustedProxies, ban_file};
use crate::settings::Settings;

/// Shortest admin token: whoever guesses it has the server.
const LEAST_ADMIN_TOKEN_BYTES: usize = 16;

/// Who may join.
pub fn options(settings: &Settings, checker: &mut Checker) -> AdmissionOptions {
    let most = ("1 to 100000", |v| (1..=100_000).contains(&v));
    let max_volunteers = checker.number("max-volunteers", settings.max_volunteers, 1000, most) as usize;
    let per_address = settings.max_volunteers_per_address;
    let max_volunteers_per_address =
        checker.number("max-volunteers-per-address", per_address, 100, most) as usize;
    let most = ("1 to 1000000", |v| (1..=1_000_000).contains(&v));
    let joins_per_minute = checker.number("joins-per-minute", settings.joins_per_minute, 240, most);
    let retry_after = checker.duration_ms("retry-after-ms", settings.retry_after_ms, 5_000);
    let origins = settings.allow_origin.as_deref().map(Origins::read);
    let proxies = settings.trusted_proxy.as_deref().map(TrustedProxies::read);
    let bans = settings.ban_file.as_deref().map_or(Ok(Bans::default()), ban_file::read);
    AdmissionOptions {
        origins: checker.made("allow-origin", origins.transpose()).flatten().unwrap_or_default(),
        join_token: join_token(settings, checker),
        trusted_proxies: checker.made("trusted-proxy", proxies.transpose()).flatten().unwrap_or_default(),
        max_volunteers,
        max_volunteers_per_address,
        joins_per_minute,
        retry_after: Duration::from_millis(retry_after.into()),
        bans: checker.made("ban-file", bans).unwrap_or_default(),
        ban_file: settings.ban_file.clone(),
    }
}

fn join_token(settings: &Settings, checker: &mut Checker) -> Option<Token> {
    let token = settings.join_token.as_deref()?;
    if !(1..=MAX_TOKEN_BYTES).contains(&token.len()) {
        checker.0.push(format!("join-token: expected 1 to {MAX_TOKEN_BYTES} bytes, found {}", token.len()));
    }
    Some(Token::new(token))
}

/// What the host's own API asks for.
pub fn admin_token(settings: &Settings, checker: &mut Checker) -> Option<Token> {
    let token = settings.admin_token.as_deref()?;
    if token.len() < LEAST_ADMIN_TOKEN_BYTES {
        checker.0.push(format!(
            "admin-token: expected at least {LEAST_ADMIN_TOKEN_BYTES} bytes, found {}",
            token.len()
        ));
    }
    Some(Token::new(token))
}
