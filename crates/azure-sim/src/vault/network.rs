//! Where a vault may be reached from: public access and the firewall's address rules.
//! Must not know who asks: the network decides before any permission.

use std::net::IpAddr;

use crate::vaults::NetworkRules;

/// Why a request from the wrong place is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barrier {
    /// Public access is off, and no private link leads into a simulator.
    Connection,
    /// The address is not among the rules.
    Firewall { ignores_trusted_services: bool },
}

/// An unknown address (`None`) is on no list. Subnet rules let nobody in: no request here comes through a
/// virtual network, nor from a service that Azure trusts.
pub(super) fn admit(rules: &NetworkRules, peer: Option<IpAddr>) -> Result<(), Barrier> {
    if !rules.public_access {
        return Err(Barrier::Connection);
    }
    let is_listed = |rule: &String| peer.is_some_and(|peer| contains(rule, peer));
    if rules.allow_by_default || rules.ip_rules.iter().any(is_listed) {
        return Ok(());
    }
    Err(Barrier::Firewall { ignores_trusted_services: rules.bypass.eq_ignore_ascii_case("None") })
}

/// Whether `rule`, an address or a CIDR range, contains `address`. An unreadable rule contains nothing.
fn contains(rule: &str, address: IpAddr) -> bool {
    let (base, prefix) = match rule.split_once('/') {
        Some((base, prefix)) => (base, Some(prefix)),
        None => (rule, None),
    };
    let Ok(base) = base.trim().parse::<IpAddr>() else {
        return false;
    };
    let (base, address, width) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (u128::from(base.to_bits()), u128::from(address.to_bits()), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let Ok(prefix) = prefix.map_or(Ok(width), |prefix| prefix.trim().parse::<u32>()) else {
        return false;
    };
    let Some(host_bits) = width.checked_sub(prefix) else {
        return false;
    };
    // A shift by the whole width of 128 bits leaves nothing to compare.
    base.checked_shr(host_bits) == address.checked_shr(host_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &[&str], peer: &str, expected: bool) {
        let rules = NetworkRules {
            allow_by_default: false,
            ip_rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
            ..NetworkRules::default()
        };
        assert_eq!(admit(&rules, peer.parse().ok()).is_ok(), expected, "{peer} {rules:?}");
    }

    #[test]
    fn address_rules_let_in_whom_they_contain() {
        check(&["203.0.113.7"], "203.0.113.7", true);
        check(&["203.0.113.7"], "203.0.113.8", false);
        check(&["203.0.113.0/24"], "203.0.113.255", true);
        check(&["203.0.113.0/24"], "203.0.114.0", false);
        check(&["203.0.113.7/32"], "203.0.113.7", true);
        check(&["198.51.100.1", "203.0.113.0/25"], "203.0.113.127", true);
        check(&["198.51.100.1", "203.0.113.0/25"], "203.0.113.128", false);
        check(&["0.0.0.0/0"], "192.0.2.1", true);
        check(&["2001:db8::/32"], "2001:db8:1::1", true);
        check(&["2001:db8::/32"], "2001:db9::1", false);
        check(&["::/0"], "2001:db9::1", true);
        check(&["::/0"], "192.0.2.1", false);
        check(&["192.0.2.1/33"], "192.0.2.1", false);
        check(&["anywhere"], "192.0.2.1", false);
        check(&[], "192.0.2.1", false);
        check(&["0.0.0.0/0"], "unknown", false);
    }

    #[test]
    fn no_address_rule_overcomes_disabled_public_access() {
        let open = NetworkRules { ip_rules: vec!["0.0.0.0/0".to_owned()], ..NetworkRules::default() };
        let closed = NetworkRules { public_access: false, ..open.clone() };
        let peer = "192.0.2.1".parse().ok();
        assert_eq!(admit(&open, peer), Ok(()));
        assert_eq!(admit(&closed, peer), Err(Barrier::Connection));
    }
}
