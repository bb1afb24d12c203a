//! Arguments that several subcommands share, as typed and as meant.

use crate::board::ProgressMode;
use clap::Args;
use mayag_protocol::names::Country;
use mayag_protocol::purpose::Purpose;
use std::path::{Path, PathBuf};

/// Who asks, why, and whom.
#[derive(Debug, Args)]
pub struct Asking {
    /// Profile of the person who asks [default: `mayag/profile.toml` in the folder of the user's configuration]
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Why you ask: ALERT, BORDER, FORENSIC, `IDENT_DEAD`, IDENTIFY, INVESTIGATE, SECCHECK, TREND or WANTED
    #[arg(long)]
    pub purpose: Option<Purpose>,
    /// Countries to ask, such as `kr,us`, or `all`
    #[arg(long, default_value = "all", value_name = "CODES")]
    pub countries: Countries,
    /// How to show what the countries do while you wait
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: ProgressMode,
}

/// The countries asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Countries {
    /// Every country of the roster.
    All,
    /// These.
    These(Vec<Country>),
}

impl Countries {
    /// The list for the desk: nothing means all.
    pub fn list(&self) -> Option<Vec<Country>> {
        match self {
            Self::All => None,
            Self::These(countries) => Some(countries.clone()),
        }
    }
}

impl std::str::FromStr for Countries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let countries: Result<Vec<Country>, _> =
            text.split(',').map(|code| code.trim().parse()).collect();
        countries
            .map(Self::These)
            .map_err(|error| format!("{error}; give codes such as `kr,us`, or `all`"))
    }
}

/// Where the user keeps settings, from the environment of the process.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// `XDG_CONFIG_HOME`.
    pub config: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Folders {
    /// The profile: the one given, or the user's own.
    pub fn profile(&self, given: Option<&Path>) -> Option<PathBuf> {
        let config =
            || self.config.clone().or_else(|| self.home.as_ref().map(|home| home.join(".config")));
        given
            .map(Path::to_owned)
            .or_else(|| config().map(|folder| folder.join("mayag").join("profile.toml")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Countries, Folders};
    use std::path::{Path, PathBuf};

    #[test]
    fn countries_are_codes_or_all() {
        assert_eq!("all".parse(), Ok(Countries::All));
        let two = Countries::These(vec!["kr".parse().unwrap(), "us".parse().unwrap()]);
        assert_eq!("kr, us".parse(), Ok(two));
        for refused in ["", "KR", "kr,", "kr us", "all,kr"] {
            assert!(refused.parse::<Countries>().is_err(), "{refused}");
        }
    }

    #[test]
    fn the_profile_is_the_one_given_or_the_users_own() {
        let both = Folders { config: Some("/c".into()), home: Some("/h".into()) };
        let home = Folders { config: None, home: Some("/h".into()) };
        assert_eq!(both.profile(Some(Path::new("x.toml"))), Some(PathBuf::from("x.toml")));
        assert_eq!(both.profile(None), Some(PathBuf::from("/c/mayag/profile.toml")));
        assert_eq!(home.profile(None), Some(PathBuf::from("/h/.config/mayag/profile.toml")));
        assert_eq!(Folders::default().profile(None), None);
    }
}
