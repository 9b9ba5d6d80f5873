//! Official quarterly files in the shapes in which they are published, rows made up.

use compliance::Rulebook;
use compliance::rulebook::official::{Converted, File, Quarter, Table, convert};

static BOOK: std::sync::LazyLock<Rulebook> = std::sync::LazyLock::new(|| Rulebook::builtin().unwrap());

/// The practitioners' pairs: tab-separated text, a notice, column heads over four lines.
const PAIRS: &str = "\
\"A notice of rights, with \"\"quotes\"\" and \u{a9}.  All rights reserved.\"\r\n\
Column1/Column 2 Edits\r\n\
\t\t*=in existence\tEffective\tDeletion\tModifier\tPTP Edit Rationale\r\n\
Column 1\tColumn 2\tprior to 1996\tDate\tDate\t0=not allowed\t\r\n\
\t\t\t\t*=no data\t1=allowed\t\r\n\
\t\t\t\t\t9=not applicable\t\r\n\
0001A\t0591T\t\t20210202\t*\t1\tMisuse of column two code with column one code\r\n\
97110\t97112\t*\t19960101\t*\t1\tMisuse of \"column two\" code\r\n\
97140\t97112\t\t20200101\t20250215\t0\tStandards of practice\r\n\
97530\t97112\t\t20200101\t20200101\t9\ttaken back\r\n\
97530\t97116\t\t20150101\t20191231\t1\tended\r\n";

/// The practitioners' daily limits: comma-separated, the notice and the first head run over lines.
const LIMITS: &str = "\
\"A notice, with commas, over\r\ntwo lines and 97110,5 in its middle\",,,\r\n\
\"HCPCS/\r\nCPT Code\",Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\r\n\
0001A,1,3 Date of Service Edit: Clinical,Clinical: CMS Workgroup\r\n\
97010,0,3 Date of Service Edit: Clinical,\"Nature of Service/Procedure, quoted\"\r\n\
97110,6,3 Date of Service Edit: Clinical,\"Clinical: Data\r\nand Society Comment\"\r\n\
97161,1,2 Date of Service Edit: Policy,\"Code Descriptor \"\"once\"\"\"\r\n\
G0283,\"1,000\",1 Line Edit,Clinical: Data\r\n\
,,,\r\n";

fn quarter() -> Quarter {
    Quarter::parse("2025q1").unwrap()
}

fn made(files: &[(&str, &[u8])]) -> Vec<Converted> {
    let files: Vec<File<'_>> = files.iter().map(|(name, bytes)| File { name, bytes }).collect();
    convert(&files, "practitioner", quarter(), &BOOK).unwrap()
}

fn refused(name: &str, bytes: &[u8], setting: &str) -> String {
    convert(&[File { name, bytes }], setting, quarter(), &BOOK).unwrap_err().to_string()
}

#[test]
fn the_published_pairs_are_read_with_notice_heads_and_stars() {
    let pairs = &made(&[("ccipra-v310r0-f1.TXT", PAIRS.as_bytes())])[0];
    assert_eq!((pairs.table, pairs.rows, pairs.kept), (Table::Pairs, 5, 2));
    assert!(
        pairs.text.contains("first = \"97110\"\nfrom = \"1996-01-01\"\nmodifier = [\"97112\"]"),
        "{}",
        pairs.text
    );
    assert!(
        pairs.text.contains("until = \"2025-02-15\"\nmodifier = []\nnever = [\"97112\"]"),
        "{}",
        pairs.text
    );
    Rulebook::builtin_with(&[(&pairs.file, &pairs.text)]).unwrap();
}

#[test]
fn the_published_limits_are_read_with_fields_over_lines() {
    let limits = &made(&[("MCR_MUE_PractitionerServices_Eff_01-01-2025.csv", LIMITS.as_bytes())])[0];
    assert_eq!((limits.table, limits.rows, limits.kept), (Table::Limits, 5, 4));
    for words in [
        "code = \"97010\"\nunits = 0\nindicator = 3",
        "code = \"97110\"\nunits = 6\nindicator = 3",
        "code = \"97161\"\nunits = 1\nindicator = 2",
        "code = \"G0283\"\nunits = 1000\nindicator = 1",
    ] {
        assert!(limits.text.contains(words), "{words} is not in {}", limits.text);
    }
    Rulebook::builtin_with(&[(&limits.file, &limits.text)]).unwrap();
}

#[test]
fn marks_letters_line_ends_and_separators_make_no_difference() {
    let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let latin: Vec<u8> = PAIRS.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert!(std::str::from_utf8(&latin).is_err());
    let pairs = made(&[("a.txt", PAIRS.as_bytes())]);
    for (shape, bytes) in [
        ("a byte order mark", format!("\u{feff}{PAIRS}").into_bytes()),
        ("single-byte letters", latin),
        ("wide letters, small end first", wide(PAIRS, u16::to_le_bytes)),
        ("wide letters, big end first", wide(PAIRS, u16::to_be_bytes)),
        ("bare line feeds", PAIRS.replace("\r\n", "\n").into_bytes()),
        ("bare carriage returns", PAIRS.replace("\r\n", "\r").into_bytes()),
        ("no last line end", PAIRS.trim_end().as_bytes().to_vec()),
        ("an end-of-file letter", format!("{PAIRS}\u{1a}\r\n").into_bytes()),
        ("every field quoted", PAIRS.replace('\t', "\"\t\"").into_bytes()),
    ] {
        assert_eq!(made(&[("a.txt", &bytes)]), pairs, "{shape}");
    }
    let limits = made(&[("a.csv", LIMITS.as_bytes())]);
    let semicolons = "HCPCS;Practitioner Services MUE Values;MUE Adjudication Indicator;MUE Rationale\n\
                      0001A;1;3 x;y\n97010;0;3 x;\"a; b\"\n97110;6;3 x;y, z\n97161;1;2 x;y\nG0283;1000;1 x;y\n";
    assert_eq!(made(&[("a.csv", semicolons.as_bytes())]), limits);
}

#[test]
fn parts_of_one_table_become_one_and_too_few_pairs_are_doubted() {
    let part =
        |row: &str| format!("Column 1\tColumn 2\t*\tEffective\tDeletion\tModifier\tRationale\r\n{row}\r\n");
    let (one, two) = (part("97110\t97112\t\t20250101\t*\t1\tx"), part("97140\t97530\t\t20250101\t*\t0\tx"));
    let both = made(&[
        ("ccipra-v310r0-f1.TXT", one.as_bytes()),
        ("ccipra-v310r0-f2.TXT", two.as_bytes()),
        ("MCR_MUE_PractitionerServices_Eff_01-01-2025.csv", LIMITS.as_bytes()),
    ]);
    assert_eq!(both.len(), 2);
    assert_eq!((both[0].rows, both[0].kept), (2, 2));
    assert!(both[0].text.contains("first = \"97110\"") && both[0].text.contains("first = \"97140\""));
    let doubt = &both[0].doubts[0];
    assert!(
        doubt.starts_with("2 pairs of known codes") && doubt.ends_with("all parts of the table?"),
        "{doubt}"
    );
    assert!(both[1].doubts.is_empty());
}

#[test]
fn a_file_of_another_table_is_refused_by_its_name_or_its_heads() {
    let hospital = LIMITS.replace("Practitioner Services MUE", "Outpatient Hospital Services MUE");
    let equipment = LIMITS.replace("Practitioner Services MUE", "DME Supplier Services MUE");
    for (name, text, setting, words) in [
        (
            "ccioph-v310r0-f1.TXT",
            PAIRS,
            "practitioner",
            "this is the table for hospital, not for practitioner",
        ),
        ("ccipra-v310r0-f1.TXT", PAIRS, "hospital", "this is the table for practitioner, not for hospital"),
        ("limits.csv", &hospital, "practitioner", "this is the table for hospital, not for practitioner"),
        ("limits.csv", &equipment, "practitioner", "this is the table for equipment suppliers"),
        (
            "ccipra-v302r0-f1.TXT",
            PAIRS,
            "practitioner",
            "by its name this is the table of 2024q3, not of 2025q1",
        ),
        (
            "MCR_MUE_PractitionerServices_Eff_04-01-2025.csv",
            LIMITS,
            "practitioner",
            "by its name this is the table of 2025q2",
        ),
    ] {
        let sentence = refused(name, text.as_bytes(), setting);
        assert!(sentence.starts_with(&format!("{name}: {words}")), "{sentence}");
    }
    assert!(made(&[("ccipra-v310r0-f1.TXT", PAIRS.as_bytes())]).len() == 1, "its own quarter and setting");
}

#[test]
fn what_is_no_such_file_is_refused_with_its_line() {
    let edit = |from: &str, to: &str| PAIRS.replacen(from, to, 1).into_bytes();
    let limits = |from: &str, to: &str| LIMITS.replacen(from, to, 1).into_bytes();
    for (bytes, words) in [
        (b"PK\x03\x04rest".to_vec(), "f: this is an archive or a workbook"),
        (b"%PDF-1.7".to_vec(), "f: this is a page to print"),
        (Vec::new(), "f: there is no row of two codes"),
        (b"Column 1\tColumn 2\r\n".to_vec(), "f: there is no row of two codes"),
        (edit("19960101", "01/01/1996"), "f, line 8: `01/01/1996` is no day such as 20250101"),
        (edit("20250215", "2025-2-15"), "f, line 9: `2025-2-15` is no day"),
        (edit("\t9\ttaken", "\t\ttaken"), "f, line 10: `` is no modifier indicator"),
        (edit("97530\t97116", "9753\t97116"), "f, line 11: this is no row of the table"),
        (limits("6,3 Date", "6,4 Date"), "f, line 7: `4 Date of Service Ed` is no adjudication indicator"),
        (limits("97161,1", "97161,one"), "f, line 9: this is no row of the table"),
        (limits("\"\"once\"\"\"", "once"), "f, line 10: a quotation mark is never closed"),
        (limits("97161,1,2", "97110,1,2"), "f, line 9: the limit of 97110 stands twice"),
    ] {
        let sentence = refused("f", &bytes, "practitioner");
        assert!(sentence.starts_with(words), "{sentence} and not {words}");
    }
}
