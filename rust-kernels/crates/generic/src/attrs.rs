//! Attribute values that plain JSON cannot hold.

use serde::{Deserialize, Deserializer, de::Error};

/// A number, or one of the texts `"NaN"`, `"Infinity"`, `"-Infinity"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number(pub f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(Self(value)),
            Form::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(D::Error::custom(format!("{text:?} is not a number"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn reads_what_json_has_no_number_for() {
        let read = |text| serde_json::from_str::<Number>(text).map(|number| number.0);
        assert_eq!(read("1").unwrap(), 1.0);
        assert_eq!(read("-0.5").unwrap(), -0.5);
        assert_eq!(read("\"-Infinity\"").unwrap(), f64::NEG_INFINITY);
        assert!(read("\"NaN\"").unwrap().is_nan());
        assert!(read("\"many\"").is_err());
        assert!(read("null").is_err());
    }
}
