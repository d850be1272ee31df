//! What says who may join: origins, trusted proxies, forwarded addresses, bans.

use std::net::IpAddr;

use farsign_server::admission::bans::Bans;
use farsign_server::admission::{Origins, TrustedProxies};

/// Where the connection comes from, in this target.
const PEER: &str = "192.0.2.1";

/// Six texts, a line each: origins, proxies, the page's origin, the host it was asked for by, two `X-Forwarded-For`; and
/// what is behind them as a file of bans.
pub fn admission(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut lines = text.splitn(7, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (origins, proxies, origin, host, forwarded) = (next(), next(), next(), next(), [next(), next()]);
    let read = [check_origins(origins, origin, host), check_proxies(proxies, forwarded), check_bans(next())];
    read.contains(&true)
}

fn check_bans(list: &str) -> bool {
    let Ok(bans) = Bans::read(list) else { return false };
    let again = Bans::read(&bans.write()).expect("what was written can be read");
    assert!(again.list().eq(bans.list()), "{bans:?}");
    assert!(bans.list().all(|ban| again.contain(ban)));
    true
}

/// Who is on the list is let in wherever the server is; who is neither on it nor on the server's own page is not.
fn check_origins(list: &str, origin: &str, host: &str) -> bool {
    let nobody = Origins::default();
    let Ok(origins) = Origins::read(list) else { return false };
    for named in list.split(',') {
        assert!(origins.allow(Some(named), None), "{named:?} is on the list");
    }
    let own = nobody.allow(Some(origin), Some(host));
    let named =
        list.split(',').any(|named| Origins::read(named).is_ok_and(|one| one.allow(Some(origin), None)));
    assert_eq!(origins.allow(Some(origin), Some(host)), own || named, "{origin:?} at {host:?}");
    let bare = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host);
    let within = origin.to_ascii_lowercase().contains(&bare.to_ascii_lowercase());
    assert!(!own || within, "{origin:?} is not of {host:?}");
    true
}

/// A client is the connection's own address, or one that a trusted proxy named.
fn check_proxies(list: &str, forwarded: [&str; 2]) -> bool {
    let peer: IpAddr = PEER.parse().expect("an address");
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.client(peer, forwarded.into_iter()), peer, "who is no proxy may write anything");
    let Ok(proxies) = TrustedProxies::read(list) else { return false };
    for address in list.split(',').filter_map(|part| part.trim().parse().ok()) {
        assert!(proxies.contain(address), "{address} is on the list");
    }
    let client = proxies.client(peer, forwarded.into_iter());
    let mut named =
        forwarded.iter().flat_map(|line| line.split(',')).filter_map(|hop| hop.trim().parse().ok());
    assert!(
        client == peer || named.any(|hop: IpAddr| hop.to_canonical() == client),
        "{client} out of nowhere"
    );
    assert!(proxies.contain(peer) || client == peer, "the connection is no trusted proxy");
    true
}
