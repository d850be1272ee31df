//! Text that decides about access: origins, trusted proxies, forwarded addresses, bans.

use std::net::IpAddr;

use farsign_server::admission::Origins;
use farsign_server::admission::bans::Bans;
use farsign_server::net::forwarded::parse_address;
use farsign_server::net::trusted_proxy::{ForwardedClient, TrustedProxies};

/// Address of the connection.
const PEER: &str = "192.0.2.1";

/// Tests access control.
///
/// The input is six lines (allowed origins, trusted proxies, the page's origin, the `Host` header, two `X-Forwarded-For`
/// headers), followed by a ban file.
pub fn admission(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut lines = text.splitn(7, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let origins = next();
    let proxies = next();
    let origin = next();
    let host_header = next();
    let forwarded = [next(), next()];
    let valid = [
        check_origins(origins, origin, host_header),
        check_proxies(proxies, forwarded),
        check_bans(next()),
    ];
    valid.contains(&true)
}

fn check_bans(list: &str) -> bool {
    let Ok(bans) = Bans::read(list) else {
        return false;
    };
    let again = Bans::read(&bans.write()).expect("a written list is valid");
    assert!(again.list().eq(bans.list()), "{bans:?}");
    assert!(bans.list().all(|ban| again.contains(ban)));
    true
}

/// Listed origins are always allowed. Other origins are allowed only if they are the server's own page.
fn check_origins(list: &str, origin: &str, host_header: &str) -> bool {
    let none = Origins::default();
    let Ok(origins) = Origins::read(list) else {
        return false;
    };
    for named in list.split(',') {
        assert!(
            origins.allows(Some(named), None),
            "{named:?} is on the list"
        );
    }
    let own = none.allows(Some(origin), Some(host_header));
    let listed = list
        .split(',')
        .any(|named| Origins::read(named).is_ok_and(|one| one.allows(Some(origin), None)));
    assert_eq!(
        origins.allows(Some(origin), Some(host_header)),
        own || listed,
        "{origin:?} at {host_header:?}"
    );
    let bare = host_header
        .strip_suffix(":443")
        .or_else(|| host_header.strip_suffix(":80"))
        .unwrap_or(host_header);
    let is_substring = origin
        .to_ascii_lowercase()
        .contains(&bare.to_ascii_lowercase());
    assert!(
        !own || is_substring,
        "{origin:?} does not match {host_header:?}"
    );
    true
}

/// The client address is the address of the connection, or one that a trusted proxy forwarded.
fn check_proxies(list: &str, forwarded: [&str; 2]) -> bool {
    let peer: IpAddr = PEER.parse().expect("an address");
    let none = TrustedProxies::default();
    assert_eq!(
        none.client(peer, forwarded.into_iter()),
        ForwardedClient {
            address: peer,
            error: None
        },
        "an untrusted header is ignored"
    );
    let Ok(proxies) = TrustedProxies::read(list) else {
        return false;
    };
    for address in list.split(',').filter_map(|part| part.trim().parse().ok()) {
        assert!(proxies.contains(address), "{address} is on the list");
    }
    let ForwardedClient {
        address: client,
        error,
    } = proxies.client(peer, forwarded.into_iter());
    assert!(
        error.is_none() || proxies.contains(client),
        "{error:?} concerns {client}, which is not a proxy"
    );
    let mut hops = forwarded
        .iter()
        .flat_map(|line| line.split(','))
        .filter_map(parse_address);
    assert!(
        client == peer || hops.any(|hop: IpAddr| hop.to_canonical() == client),
        "{client} was not forwarded"
    );
    assert!(
        proxies.contains(peer) || client == peer,
        "an untrusted peer changed the address"
    );
    true
}
