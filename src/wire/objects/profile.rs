//! How a user is shown (spec 4.7).
//!
//! Duty: the shape, which is short for who says no more than a name. Never: two forms of one profile.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq as _};

use super::short;
use crate::limits;

/// How a user is shown; the home vouches for it (spec 4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `local@domain`; of a free account an e-mail of the person's own.
    pub address: String,
    /// The display name.
    pub name: String,
    /// What he does, as he says; may be empty.
    pub title: String,
    /// Whether the home knows that the address is his.
    pub verified: bool,
}

impl Profile {
    /// Of who says no more than his name.
    #[must_use]
    pub fn new(address: impl Into<String>, name: impl Into<String>) -> Self {
        Self { address: address.into(), name: name.into(), title: String::new(), verified: true }
    }

    fn is_short(&self) -> bool {
        self.title.is_empty() && self.verified
    }

    pub(super) fn bounds(&self) -> Result<(), String> {
        short("address", &self.address, limits::ADDRESS_BYTES)?;
        if !self.title.is_empty() {
            short("title", &self.title, limits::TITLE_BYTES)?;
        }
        short("name", &self.name, limits::NAME_BYTES)
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let short = self.is_short();
        let mut fields = s.serialize_seq(Some(if short { 2 } else { 4 }))?;
        fields.serialize_element(&self.address)?;
        fields.serialize_element(&self.name)?;
        if !short {
            fields.serialize_element(&self.title)?;
            fields.serialize_element(&self.verified)?;
        }
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> de::Visitor<'de> for Fields {
            type Value = Profile;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "an address and a name, or these with a title and whether the address is verified",
                )
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Profile, A::Error> {
                let missing = de::Error::missing_field;
                let address: String = seq.next_element()?.ok_or_else(|| missing("address"))?;
                let name: String = seq.next_element()?.ok_or_else(|| missing("name"))?;
                let Some(title) = seq.next_element()? else { return Ok(Profile::new(address, name)) };
                let verified = seq.next_element()?.ok_or_else(|| missing("verified"))?;
                let profile = Profile { address, name, title, verified };
                let one_form = !profile.is_short() && seq.next_element::<de::IgnoredAny>()?.is_none();
                one_form.then_some(profile).ok_or_else(|| de::Error::custom("a profile has one form"))
            }
        }
        d.deserialize_seq(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::cbor;

    #[test]
    fn a_profile_has_one_form() {
        let short = Profile::new("a@b.example", "A");
        let long = Profile { title: "Counsel".into(), verified: false, ..short.clone() };
        for profile in [&short, &long, &Profile { title: String::new(), ..long.clone() }] {
            let bytes = cbor::encode(profile);
            assert_eq!(&cbor::decode::<Profile>(&bytes).unwrap(), profile);
        }
        let twice = cbor::encode(&("a@b.example", "A", "", true));
        assert!(cbor::decode::<Profile>(&twice).is_err());
        assert!(cbor::decode::<Profile>(&cbor::encode(&("a@b.example", "A", "x"))).is_err());
        assert!(cbor::decode::<Profile>(&cbor::encode(&("a@b.example", "A", "x", true, 1))).is_err());
    }
}
