//! The two shapes of everything on the wire: a record is an array of its fields in order, a choice is
//! an array that begins with the code of the variant (spec 3.2).
//!
//! Duty: macros that give a type its shape, so that the order in the source is the order on the wire.
//! Never: maps with text keys, defaults for missing fields.

/// A struct whose fields travel as a CBOR array, in the order in which they stand here. Last fields may have a value for
/// arrays that were written before there was such a field.
macro_rules! record {
    (@absent $field:ident) => { return Err(serde::de::Error::missing_field(stringify!($field))) };
    (@absent $field:ident $before:expr) => { $before };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident : $type:ty $(= $before:expr)?,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $type,)+ }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeTuple as _;
                let mut tuple = s.serialize_tuple(const { [$(stringify!($field)),+].len() })?;
                $(tuple.serialize_element(&self.$field)?;)+
                tuple.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the fields of ", stringify!($name)))
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        Ok($name {
                            $($field: match seq.next_element()? {
                                Some(value) => value,
                                None => $crate::wire::array::record!(@absent $field $($before)?),
                            },)+
                        })
                    }
                }
                d.deserialize_tuple(const { [$(stringify!($field)),+].len() }, Fields)
            }
        }
    };
}

/// An enum whose variants travel as a CBOR array: the code, then the fields in order.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $code:literal => $variant:ident { $($(#[$fmeta:meta])* $field:ident : $type:ty,)* },)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant { $($(#[$fmeta])* $field: $type,)* },)+ }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeTuple as _;
                match self {
                    $(Self::$variant { $($field,)* } => {
                        let mut tuple = s.serialize_tuple(const { ["code", $(stringify!($field)),*].len() })?;
                        tuple.serialize_element(&{
                            const CODE: u64 = $code;
                            CODE
                        })?;
                        $(tuple.serialize_element($field)?;)*
                        tuple.end()
                    })+
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Variants;
                impl<'de> serde::de::Visitor<'de> for Variants {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a variant of ", stringify!($name)))
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        let code: u64 = seq.next_element()?.ok_or_else(|| serde::de::Error::missing_field("code"))?;
                        match code {
                            $($code => Ok($name::$variant {
                                $($field: seq.next_element()?.ok_or_else(|| {
                                    serde::de::Error::missing_field(stringify!($field))
                                })?,)*
                            }),)+
                            other => Err(serde::de::Error::custom(format!(
                                concat!("unknown code {} of ", stringify!($name)), other
                            ))),
                        }
                    }
                }
                d.deserialize_seq(Variants)
            }
        }
    };
}

/// An enum without fields that travels as its number.
macro_rules! code {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $code:literal => $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name that people, the API and the configuration use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The number on the wire.
            #[must_use]
            pub fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value of this number, if it has one.
            #[must_use]
            pub fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($text),+] })
            }
        }

        /// By name where people read, by code on the wire.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() {
                    return s.serialize_str(self.name());
                }
                s.serialize_u64(self.code())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    let text = <String as serde::Deserialize>::deserialize(d)?;
                    return Self::ALL.iter().copied().find(|value| value.name() == text).ok_or_else(|| {
                        serde::de::Error::custom(format!(
                            "`{text}` is none of {}", [$($text),+].join(", ")
                        ))
                    });
                }
                let code = <u64 as serde::Deserialize>::deserialize(d)?;
                Self::from_code(code).ok_or_else(|| {
                    serde::de::Error::custom(format!(concat!("unknown code {} of ", stringify!($name)), code))
                })
            }
        }
    };
}

pub(crate) use {choice, code, record};
