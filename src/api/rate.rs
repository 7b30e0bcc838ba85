//! How fast one user, or one address, may ask for what is costly or can be guessed.
//!
//! Duty: token buckets by class of endpoint, in bounded memory; a refusal says when to come back. Never: a limit on
//! reading and writing what somebody is in.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::Instant;

use super::{Access, Api, problem::Problem};
use crate::{
    crypto::sha256,
    ids::{Hash, UserId},
    limits,
};

/// The path of an endpoint as it stands in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint(pub(super) &'static str);

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Class {
    /// Whatever asks somebody into something, per user.
    Invite,
    /// Searches, per user.
    Search,
    /// Endpoints for whoever is not signed in, per address.
    Open,
    /// Tokens that are none, per address.
    Guess,
    /// Passwords, per account that is named, whether there is one or not.
    Password,
}

impl Class {
    /// So many at once, and so many more in a second.
    fn rate(self) -> (f64, f64) {
        match self {
            Self::Invite => limits::RATE_INVITE,
            Self::Search => limits::RATE_SEARCH,
            Self::Open => limits::RATE_OPEN,
            Self::Guess => limits::RATE_GUESS,
            Self::Password => limits::RATE_PASSWORD,
        }
    }

    /// The class of an endpoint for who is signed in; most have none.
    fn of(method: &Method, path: &str) -> Option<Self> {
        let asks_in = method == Method::POST
            && (path.ends_with("/members")
                || path.ends_with("/requests")
                || path.ends_with("/resend")
                || matches!(path, "/dms" | "/invitations"));
        let searches = method == Method::GET && (path.contains("search") || path.starts_with("/contacts"));
        match (asks_in, searches) {
            (true, _) => Some(Self::Invite),
            (_, true) => Some(Self::Search),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    User(UserId),
    Address(IpAddr),
    /// The hash of what was named.
    Named(Hash),
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// The buckets that are not full, and whose word on addresses counts.
#[derive(Debug, Default)]
pub(super) struct Rate {
    buckets: Mutex<HashMap<Class, HashMap<Who, Bucket>>>,
    proxies: Vec<IpAddr>,
}

impl Rate {
    pub(super) fn behind(proxies: Vec<IpAddr>) -> Self {
        Self { buckets: Mutex::default(), proxies }
    }

    /// What a signed-in user asks for; admins set quotas and are not bound here.
    pub(super) fn user(&self, parts: &Parts, user: UserId, admin: bool) -> Result<(), Problem> {
        let path = parts.extensions.get::<Endpoint>();
        let class = path.and_then(|path| Class::of(&parts.method, path.0));
        class.filter(|_| !admin).map_or(Ok(()), |class| self.take(class, Who::User(user)))
    }

    /// One more guess at the password of this address, whether it has an account or not.
    pub(super) fn password(&self, address: &str) -> Result<(), Problem> {
        let named = sha256(&[address.trim().to_lowercase().as_bytes()]);
        self.take(Class::Password, Who::Named(named))
    }

    fn take(&self, class: Class, who: Who) -> Result<(), Problem> {
        self.take_at(class, who, Instant::now()).map_err(|seconds| {
            let detail = format!("too many requests of this kind: try again in {seconds} s");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail).retry_after(seconds)
        })
    }

    /// Takes one; `Err`: in how many seconds there is one again.
    fn take_at(&self, class: Class, who: Who, now: Instant) -> Result<(), u64> {
        let (most, per_second) = class.rate();
        let mut classes = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Each class has room of its own: who fills one keeps nobody from the others.
        let buckets = classes.entry(class).or_default();
        if !buckets.contains_key(&who) && buckets.len() >= limits::RATE_BUCKETS {
            buckets.retain(|_, bucket| level(class, *bucket, now) < most);
            if buckets.len() >= limits::RATE_BUCKETS {
                return Err(60);
            }
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: most, at: now });
        let left = level(class, *bucket, now);
        let enough = left >= 1.0;
        *bucket = Bucket { left: if enough { left - 1.0 } else { left }, at: now };
        if enough { Ok(()) } else { Err(seconds((1.0 - left) / per_second)) }
    }

    /// Whose request it is: what a trusted proxy says, else who is connected. Of IPv6 one network counts as one.
    fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let mut chain: Vec<IpAddr> =
            said.flat_map(|value| value.split(',')).filter_map(|ip| ip.trim().parse().ok()).collect();
        chain.push(peer);
        let stranger = chain.iter().rev().find(|ip| !self.proxies.contains(ip));
        match stranger.copied().unwrap_or(peer).to_canonical() {
            IpAddr::V6(ip) => {
                let network = u128::from(ip) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            ip => ip,
        }
    }
}

fn level(class: Class, bucket: Bucket, now: Instant) -> f64 {
    let (most, per_second) = class.rate();
    let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * per_second;
    (bucket.left + gained).min(most)
}

/// Whole seconds, at least one; an hour is the most that any bucket needs.
fn seconds(wait: f64) -> u64 {
    (1..3600_u32).find(|seconds| f64::from(*seconds) >= wait).map_or(3600, u64::from)
}

/// Before any handler: who is not signed in, and who guesses, by address.
pub(super) async fn by_address(State(api): State<Api>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let Some(peer) = peer else { return next.run(request).await };
    let who = Who::Address(api.rate.address(peer, request.headers()));
    let open = request.extensions().get::<Access>() == Some(&Access::Anyone);
    let health = request.uri().path().ends_with("/health");
    if open
        && !health
        && let Err(problem) = api.rate.take(Class::Open, who)
    {
        return problem.into_response();
    }
    // A token that is good is not refused for what others guess behind the same address.
    let response = next.run(request).await;
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    match api.rate.take(Class::Guess, who) {
        Ok(()) => response,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::WorkspaceId;

    #[test]
    fn a_bucket_empties_fills_again_and_is_forgotten_when_full() {
        let (rate, start) = (Rate::default(), Instant::now());
        let who = Who::User(UserId::new(WorkspaceId([1; 32]), [2; 16]));
        let (most, per_second) = Class::Invite.rate();
        let mut taken = 0;
        while rate.take_at(Class::Invite, who, start).is_ok() {
            taken += 1;
        }
        assert!((f64::from(taken) - most).abs() < 1.0, "{taken}");
        assert!(rate.take_at(Class::Invite, who, start).is_err(), "says when");
        let later = start + Duration::from_secs_f64(1.5 / per_second);
        assert!(rate.take_at(Class::Invite, who, later).is_ok(), "it fills again");
        assert!(rate.take_at(Class::Search, who, start).is_ok(), "classes are apart");
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_make_room() {
        let (rate, start) = (Rate::default(), Instant::now());
        let ip = |n: u32| Who::Address(IpAddr::V4(n.into()));
        for n in 0..u32::try_from(limits::RATE_BUCKETS).unwrap() {
            rate.take_at(Class::Open, ip(n), start).unwrap();
        }
        assert_eq!(rate.take_at(Class::Open, ip(u32::MAX), start), Err(60));
        assert!(
            rate.take_at(Class::Password, ip(u32::MAX), start).is_ok(),
            "the others have room of their own"
        );
        assert!(rate.take_at(Class::Open, ip(u32::MAX), start + Duration::from_secs(60)).is_ok());
        assert_eq!(rate.buckets.lock().unwrap()[&Class::Open].len(), 1);
    }

    #[test]
    fn only_trusted_proxies_say_whose_request_it_is() {
        let proxy: IpAddr = "10.0.0.2".parse().unwrap();
        let rate = Rate::behind(vec![proxy]);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 198.51.100.7".parse().unwrap());
        assert_eq!(rate.address(proxy, &headers), "198.51.100.7".parse::<IpAddr>().unwrap());
        let stranger: IpAddr = "203.0.113.9".parse().unwrap();
        assert_eq!(rate.address(stranger, &headers), stranger, "a stranger's header says nothing");
        let v6: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(rate.address(v6, &HeaderMap::new()), "2001:db8:1:2::".parse::<IpAddr>().unwrap());
    }
}
