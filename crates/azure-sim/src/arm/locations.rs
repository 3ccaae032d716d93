//! The regions of the public cloud.
//! Must not know resources.

/// Programmatic names (Azure regions list).
const LOCATIONS: [&str; 48] = [
    "australiacentral",
    "australiaeast",
    "australiasoutheast",
    "austriaeast",
    "belgiumcentral",
    "brazilsouth",
    "canadacentral",
    "canadaeast",
    "centralindia",
    "centralus",
    "chilecentral",
    "denmarkeast",
    "eastasia",
    "eastus",
    "eastus2",
    "francecentral",
    "germanywestcentral",
    "indonesiacentral",
    "israelcentral",
    "italynorth",
    "japaneast",
    "japanwest",
    "koreacentral",
    "koreasouth",
    "malaysiawest",
    "mexicocentral",
    "newzealandnorth",
    "northcentralus",
    "northeurope",
    "norwayeast",
    "polandcentral",
    "qatarcentral",
    "southafricanorth",
    "southcentralus",
    "southeastasia",
    "southindia",
    "spaincentral",
    "swedencentral",
    "switzerlandnorth",
    "uaenorth",
    "uksouth",
    "ukwest",
    "westcentralus",
    "westeurope",
    "westindia",
    "westus",
    "westus2",
    "westus3",
];

/// The programmatic name of a region that may be written as it is displayed (`West Europe`).
pub(super) fn canonical(written: &str) -> Option<&'static str> {
    let bare: String = written.chars().filter(|c| *c != ' ').collect();
    LOCATIONS.into_iter().find(|known| known.eq_ignore_ascii_case(&bare))
}

/// All of them, for a person.
pub(super) fn all() -> String {
    LOCATIONS.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_known_by_both_of_their_names() {
        let check = |written: &str, expected: Option<&str>| assert_eq!(canonical(written), expected);
        check("westeurope", Some("westeurope"));
        check("West Europe", Some("westeurope"));
        check("West US 3", Some("westus3"));
        check("westeuropa", None);
        check("", None);
    }
}
