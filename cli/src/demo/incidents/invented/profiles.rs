//! What the invented incidents of each country are drawn from. Numbers after a value are weights.

use super::super::Place;

/// What a country's incidents are drawn from.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The country's code; also the name of its random stream.
    pub(crate) country: &'static str,
    /// How many incidents.
    pub(crate) incidents: usize,
    /// The substances, each with a typical mass in grams.
    pub(crate) drugs: &'static [((&'static str, u32), u32)],
    /// The offices.
    pub(crate) places: &'static [(Place, u32)],
    /// Ways of transport, each with the origins seen on it.
    pub(crate) routes: &'static [((&'static str, Origins), u32)],
    /// Where the goods were going.
    pub(crate) destinations: Origins,
}

/// Countries and how often they are seen.
pub(crate) type Origins = &'static [(Option<&'static str>, u32)];

const fn place(agency: &'static str, region: &'static str, area: &'static str) -> Place {
    Place { agency, region, area, land_filter: None }
}

/// Korea.
pub(crate) const KOREA: Profile = Profile {
    country: "kr",
    incidents: 8_000,
    drugs: &[
        (("Methamphetamine", 120), 38),
        (("Synthetic Cannabinoids", 40), 13),
        (("Marijuana", 90), 12),
        (("Ketamine", 70), 9),
        (("Ecstasy", 35), 9),
        (("Other", 50), 8),
        (("Cocaine", 60), 4),
        (("Tramadol", 80), 3),
        (("LSD", 2), 2),
        (("Fentanyl", 5), 1),
        (("Heroin", 20), 1),
    ],
    places: &[
        (place("Korea Customs Service", "Incheon", "INCHEON AIRPORT CUSTOMS"), 40),
        (place("Korea Customs Service", "Incheon", "INCHEON PORT CUSTOMS"), 14),
        (place("Korea Customs Service", "Busan", "BUSAN CUSTOMS"), 14),
        (place("Korea Customs Service", "Jeolla", "GWANGYANG CUSTOMS"), 3),
        (place("Korean National Police", "Seoul", "SEOUL METROPOLITAN POLICE"), 20),
        (place("Korean National Police", "Busan", "BUSAN POLICE"), 9),
        (place("Korea Coast Guard", "Jeju", "JEJU COAST GUARD"), 2),
    ],
    routes: &[
        (
            (
                "mail",
                &[
                    (Some("us"), 20),
                    (Some("th"), 18),
                    (Some("vn"), 9),
                    (Some("nl"), 8),
                    (Some("de"), 5),
                    (None, 4),
                ],
            ),
            50,
        ),
        (
            (
                "air",
                &[
                    (Some("th"), 22),
                    (Some("la"), 6),
                    (Some("vn"), 10),
                    (Some("us"), 9),
                    (Some("ph"), 4),
                    (None, 3),
                ],
            ),
            34,
        ),
        (
            (
                "sea",
                &[(Some("mx"), 4), (Some("cn"), 6), (Some("th"), 5), (Some("vn"), 4), (None, 2)],
            ),
            12,
        ),
        (("unknown", &[(None, 1)]), 4),
    ],
    destinations: &[(Some("kr"), 92), (Some("jp"), 4), (Some("au"), 2), (None, 2)],
};

/// Thailand.
pub(crate) const THAILAND: Profile = Profile {
    country: "th",
    incidents: 16_000,
    drugs: &[
        (("Methamphetamine", 900), 62),
        (("Heroin", 350), 7),
        (("Ketamine", 500), 8),
        (("Marijuana", 2_500), 8),
        (("Ecstasy", 60), 4),
        (("Opium", 700), 3),
        (("Precursors", 9_000), 3),
        (("Tramadol", 900), 2),
        (("Other", 150), 2),
        (("Cocaine", 90), 1),
    ],
    places: &[
        (place("Office of Narcotics Control", "North", "CHIANG RAI"), 26),
        (place("Office of Narcotics Control", "North", "CHIANG MAI"), 14),
        (place("Royal Thai Police", "Central", "BANGKOK"), 24),
        (place("Royal Thai Police", "Northeast", "NAKHON PHANOM"), 13),
        (place("Thai Customs", "Central", "SUVARNABHUMI AIRPORT"), 9),
        (place("Thai Customs", "East", "LAEM CHABANG PORT"), 6),
        (place("Thai Customs", "South", "SONGKHLA"), 5),
        (place("Royal Thai Police", "South", "SADAO"), 3),
    ],
    routes: &[
        (("land", &[(Some("mm"), 52), (Some("la"), 26), (Some("kh"), 3), (None, 6)]), 72),
        (("mail", &[(Some("th"), 8), (Some("mm"), 3), (Some("nl"), 2), (None, 2)]), 12),
        (("air", &[(Some("th"), 6), (Some("br"), 1), (Some("za"), 1), (None, 1)]), 8),
        (("sea", &[(Some("th"), 5), (Some("mm"), 4), (None, 2)]), 8),
    ],
    destinations: &[
        (Some("th"), 60),
        (Some("my"), 12),
        (Some("au"), 9),
        (Some("kr"), 7),
        (Some("jp"), 4),
        (Some("tw"), 4),
        (None, 4),
    ],
};

/// Australia.
pub(crate) const AUSTRALIA: Profile = Profile {
    country: "au",
    incidents: 12_000,
    drugs: &[
        (("Methamphetamine", 400), 26),
        (("Cocaine", 300), 17),
        (("Ecstasy", 150), 14),
        (("Marijuana", 200), 13),
        (("Other", 100), 10),
        (("Ketamine", 120), 8),
        (("Heroin", 180), 4),
        (("Synthetic Cannabinoids", 60), 3),
        (("LSD", 3), 2),
        (("Precursors", 4_000), 2),
        (("Fentanyl", 4), 1),
        (("Nitazenes", 2), 1),
    ],
    places: &[
        (place("Australian Border Force", "New South Wales", "SYDNEY GATEWAY FACILITY"), 34),
        (place("Australian Border Force", "New South Wales", "PORT BOTANY"), 8),
        (place("Australian Border Force", "Victoria", "MELBOURNE GATEWAY FACILITY"), 25),
        (place("Australian Border Force", "Queensland", "BRISBANE"), 10),
        (place("Australian Border Force", "Western Australia", "PERTH AND FREMANTLE"), 8),
        (place("Australian Federal Police", "New South Wales", "SYDNEY OFFICE"), 7),
        (place("Australian Federal Police", "Victoria", "MELBOURNE OFFICE"), 5),
        (place("Criminal Intelligence Commission", "Capital Territory", "CANBERRA"), 3),
    ],
    routes: &[
        (
            (
                "mail",
                &[
                    (Some("us"), 20),
                    (Some("nl"), 16),
                    (Some("gb"), 12),
                    (Some("de"), 9),
                    (Some("my"), 8),
                    (Some("th"), 8),
                    (None, 5),
                ],
            ),
            70,
        ),
        (
            (
                "air",
                &[
                    (Some("th"), 9),
                    (Some("vn"), 8),
                    (Some("my"), 6),
                    (Some("us"), 6),
                    (Some("in"), 4),
                    (None, 3),
                ],
            ),
            19,
        ),
        (
            (
                "sea",
                &[
                    (Some("mx"), 6),
                    (Some("us"), 7),
                    (Some("th"), 5),
                    (Some("cn"), 4),
                    (Some("ca"), 3),
                    (None, 2),
                ],
            ),
            11,
        ),
    ],
    destinations: &[(Some("au"), 94), (Some("nz"), 5), (None, 1)],
};

/// Mexico.
pub(crate) const MEXICO: Profile = Profile {
    country: "mx",
    incidents: 6_000,
    drugs: &[
        (("Marijuana", 9_000), 27),
        (("Methamphetamine", 3_000), 24),
        (("Cocaine", 2_500), 14),
        (("Fentanyl", 400), 13),
        (("Heroin", 500), 7),
        (("Precursors", 20_000), 7),
        (("Opium", 600), 3),
        (("Ecstasy", 200), 2),
        (("Other", 500), 3),
    ],
    places: &[
        (place("Guardia Nacional", "Noroeste", "TIJUANA"), 22),
        (place("Guardia Nacional", "Noroeste", "CULIACAN"), 15),
        (place("SEDENA", "Noroeste", "NOGALES"), 14),
        (place("SEDENA", "Noreste", "REYNOSA"), 10),
        (place("SEMAR", "Occidente", "MANZANILLO"), 13),
        (place("SEMAR", "Occidente", "LAZARO CARDENAS"), 8),
        (place("SEMAR", "Golfo", "VERACRUZ"), 5),
        (place("FGR", "Centro", "AICM AEROPUERTO"), 13),
    ],
    routes: &[
        (("land", &[(Some("mx"), 30), (Some("gt"), 9), (Some("us"), 2), (None, 6)]), 66),
        (
            (
                "sea",
                &[(Some("cn"), 9), (Some("in"), 4), (Some("co"), 8), (Some("ec"), 6), (None, 3)],
            ),
            20,
        ),
        (("air", &[(Some("co"), 5), (Some("mx"), 4), (Some("pe"), 2), (None, 2)]), 9),
        (("mail", &[(Some("mx"), 7), (Some("cn"), 3), (None, 1)]), 5),
    ],
    destinations: &[
        (Some("us"), 66),
        (Some("mx"), 16),
        (Some("au"), 4),
        (Some("kr"), 2),
        (Some("ca"), 4),
        (None, 8),
    ],
};
