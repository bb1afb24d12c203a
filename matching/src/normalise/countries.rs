//! Codes of countries and of other issuers of documents, to three letters each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// ISO 3166-1: two letters and three letters of the same country.
const COUNTRIES: &str = "\
     ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA AZAZE \
     BABIH BBBRB BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES BRBRA BSBHS \
     BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG CHCHE CICIV CKCOK CLCHL CMCMR CNCHN \
     COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA DODOM DZDZA ECECU EEEST \
     EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF \
     GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD \
     HNHND HRHRV HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM \
     JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA \
     LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE MFMAF MGMDG MHMHL MKMKD \
     MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM \
     NCNCL NENER NFNFK NGNGA NINIC NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG \
     PHPHL PKPAK PLPOL PMSPM PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA \
     SASAU SBSLB SCSYC SDSDN SESWE SGSGP SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD \
     STSTP SVSLV SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON \
     TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR \
     VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE";
/// Issuers of ICAO Doc 9303 (part 3, section 5) that are no countries of ISO 3166-1, codes withdrawn from it under which
/// documents are still around, Kosovo, and Utopia of the specimens.
const ISSUERS: &str = "ANT CSK DDR EUE IAO RKS SCG SUN UNA UNK UNO UTO XBA XCC XCE XCO XDC XEC XES XIM XMP XOM \
     XPO XXA XXB XXC XXX YUG";

/// Codes that stand for another: what German and British documents print, and codes that were replaced.
const REPLACED: [(&str, &str); 14] = [
    ("BUR", "MMR"),
    ("D", "DEU"),
    ("EU", "EUE"),
    ("GBD", "GBR"),
    ("GBN", "GBR"),
    ("GBO", "GBR"),
    ("GBP", "GBR"),
    ("GBS", "GBR"),
    ("ROM", "ROU"),
    ("TMP", "TLS"),
    ("UK", "GBR"),
    ("XK", "RKS"),
    ("XKX", "RKS"),
    ("ZAR", "COD"),
];

/// Every code that may be typed, and the three letters it stands for.
static CODES: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let alone = ISSUERS.split_ascii_whitespace().map(|three| (three, three));
    let both = pairs().flat_map(|(two, three)| [(two, three), (three, three)]);
    both.chain(alone).chain(REPLACED).collect()
});

/// Two letters and three of each country.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    COUNTRIES.split_ascii_whitespace().filter_map(|pair| pair.split_at_checked(2))
}

/// The three letters for a code of two or three letters, in any case; with fillers of a machine-readable zone.
pub(super) fn issuer(code: &str) -> Option<&'static str> {
    let code = code.trim().trim_end_matches('<').to_ascii_uppercase();
    CODES.get(code.as_str()).copied()
}

/// The two letters of a country, as regions of phone numbers are known by.
pub(super) fn region(code: &str) -> Option<&'static str> {
    match issuer(code)? {
        "RKS" => Some("XK"),
        issuer => pairs().find(|(_, three)| *three == issuer).map(|(two, _)| two),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_has_both_codes() {
        let pairs: Vec<&str> = COUNTRIES.split_ascii_whitespace().collect();
        assert_eq!(pairs.len(), 249);
        for pair in pairs {
            let (two, three) = pair.split_at(2);
            assert_eq!((two.len(), three.len()), (2, 3), "{pair}");
            assert_eq!((issuer(two), issuer(three)), (Some(three), Some(three)));
            assert_eq!((region(two), region(three)), (Some(two), Some(two)));
        }
        for code in ISSUERS.split_ascii_whitespace() {
            assert_eq!(issuer(code), Some(code));
        }
        assert!(REPLACED.iter().all(|(_, new)| issuer(new) == Some(new)));
    }

    #[test]
    fn unknown_codes_are_unknown() {
        for code in ["", "A", "ZZ", "ZZZ", "XZZ", "PHIL", "\u{130}", "P<H"] {
            assert_eq!(issuer(code), None, "{code}");
        }
        assert_eq!(
            (issuer("d<<"), issuer(" ph "), region("XPO")),
            (Some("DEU"), Some("PHL"), None)
        );
    }
}
