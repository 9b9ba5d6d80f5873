//! Over HTTP: who is answered, what strangers learn, what a malformed request gets.

use crate::clinic::{Answer, Clinic, Server, bearer, get, post};

const CLOSED: [&str; 14] = [
    "/v1/admin/status",
    "/v1/admin/people",
    "/v1/admin/patients",
    "/v1/admin/devices",
    "/v1/admin/quarantine",
    "/v1/review/queue",
    "/v1/review/quarantine",
    "/v1/review/notes/00000000-0000-4000-8000-000000000000",
    "/v1/review/notes/00000000-0000-4000-8000-000000000000/report",
    "/metrics",
    "/",
    "/review",
    "/review/notes/00000000-0000-4000-8000-000000000000",
    "/no-such-thing",
];

/// A supervisor with an access token.
fn supervisor(clinic: &Clinic) -> String {
    let person = clinic.ok(&["person", "add", "--name", "Nora Chen", "--role", "supervisor"]);
    clinic.ok(&["token", &person])
}

fn check_401(answer: &Answer, path: &str) {
    assert_eq!(answer.status, 401, "{path}: {}", answer.body);
    assert!(!answer.body.contains("Elm Street"), "{path} tells the clinic's name");
}

#[test]
fn a_stranger_gets_401_everywhere_and_learns_nothing() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    for path in CLOSED {
        check_401(&get(&server, path, &[]), path);
        check_401(&get(&server, path, &[("authorization", "Bearer gwa_00")]), path);
        check_401(&get(&server, path, &[("cookie", "gaitway_session=gws_00")]), path);
    }
    for path in ["/v1/admin/people", "/v1/admin/tokens", "/v1/admin/quarantine/release"] {
        check_401(&post(&server, path, &[], "{}"), path);
    }
    assert_eq!(get(&server, "/healthz", &[]).body, "ok\n");
    assert_eq!(get(&server, "/readyz", &[]).body, "ready\n");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn each_proof_opens_its_own_doors_only() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let therapist = clinic.ok(&["person", "add", "--name", "Maria Lopez", "--role", "therapist"]);
    let proofs = [
        (clinic.token("admin.token"), [200, 403, 200]),
        (clinic.token("metrics.token"), [403, 403, 200]),
        (supervisor(&clinic), [403, 200, 403]),
        (clinic.ok(&["token", &therapist]), [403, 403, 403]),
    ];
    for (token, expected) in proofs {
        let proof = bearer(&token);
        let paths = ["/v1/admin/status", "/v1/review/queue", "/metrics"];
        let got = paths.map(|path| get(&server, path, &[("authorization", &proof)]).status);
        assert_eq!(got, expected, "{}", token.get(..3).unwrap());
    }
}

#[test]
fn a_person_who_left_is_a_stranger_the_same_moment() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let person = clinic.ok(&["person", "add", "--name", "Nora Chen", "--role", "auditor"]);
    let proof = bearer(&clinic.ok(&["token", &person]));
    let headers: [(&str, &str); 1] = [("authorization", &proof)];
    assert_eq!(get(&server, "/v1/review/queue", &headers).status, 200);
    clinic.ok(&["person", "add", "--id", &person, "--name", "Nora Chen", "--role", "auditor", "--inactive"]);
    assert_eq!(get(&server, "/v1/review/queue", &headers).status, 401);
}

#[test]
fn signing_in_gives_a_cookie_no_script_can_read_and_signing_out_ends_it() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let token = supervisor(&clinic);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = post(&server, "/sign-in", &form, "token=gwp_00");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    let elsewhere = [form[0], ("sec-fetch-site", "cross-site")];
    assert_eq!(post(&server, "/sign-in", &elsewhere, &format!("token={token}")).status, 403);
    let signed_in = post(&server, "/sign-in", &form, &format!("token={token}"));
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    let cookie = signed_in.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session = cookie.split(';').next().unwrap();
    for path in ["/", "/review", "/v1/review/queue"] {
        assert_eq!(get(&server, path, &[("cookie", session)]).status, 200, "{path}");
    }
    assert!(get(&server, "/", &[("cookie", session)]).body.contains("Elm Street"));
    post(&server, "/sign-out", &[("cookie", session)], "");
    check_401(&get(&server, "/review", &[("cookie", session)]), "/review");
}

#[test]
fn every_answer_carries_the_security_headers() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    for path in ["/healthz", "/sign-in", "/style.css", "/review", "/no-such-thing"] {
        let answer = get(&server, path, &[]);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[test]
fn metrics_and_logs_name_no_patient() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let patient = clinic.ok(&["patient", "add", "--name", "Walter Quimby", "--born-on", "1951-04-02"]);
    let proof = bearer(&clinic.token("metrics.token"));
    let metrics = get(&server, "/metrics", &[("authorization", &proof)]);
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("gaitway_commits_total "), "{}", metrics.body);
    assert!(metrics.body.contains("gaitway_ready 1"), "{}", metrics.body);
    for word in ["Quimby", "Walter", "1951", &patient] {
        assert!(!metrics.body.contains(word), "{word} in the metrics");
    }
    let log = server.log();
    assert!(log.contains("a patient was entered or changed"), "{log}");
    for word in ["Quimby", "Walter", "1951"] {
        assert!(!log.contains(word), "{word} in the log");
    }
}

#[test]
fn a_malformed_request_gets_one_sentence_and_never_its_own_words() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let proof = bearer(&clinic.token("admin.token"));
    let check = |path: &str, body: &str, status: u16, code: &str| {
        let answer = post(&server, path, &[("authorization", &proof)], body);
        assert_eq!(answer.status, status, "{path} {}", answer.body);
        assert_eq!(answer.json()["error"]["code"], code, "{path}");
        assert!(!answer.body.contains("Quimby"), "{path} repeats what was sent");
    };
    check("/v1/admin/people", "{\"name\":\"Quimby\"", 400, "bad_request");
    check("/v1/admin/people", "{\"name\":\"Quimby\",\"roles\":7}", 400, "bad_request");
    check("/v1/admin/people", "{\"Quimby\":1}", 400, "bad_request");
    check("/v1/admin/patients", &format!("{{\"name\":\"{}\"}}", "Quimby".repeat(50)), 400, "bad_request");
    check("/v1/admin/patients", &format!("{{\"name\":\"{}\"}}", "Q".repeat(100_000)), 413, "too_large");
    let nobody = "00000000-0000-4000-8000-000000000000";
    check("/v1/admin/tokens", &format!("{{\"person\":\"{nobody}\"}}"), 409, "declined");
    check("/v1/admin/devices/x/revoke", "{}", 404, "not_found");
    check(&format!("/v1/admin/devices/{nobody}/revoke"), "{}", 409, "declined");
    check("/healthz", "{}", 405, "method_not_allowed");
}

#[test]
fn a_note_that_is_not_there_is_404_for_a_reviewer() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let proof = bearer(&supervisor(&clinic));
    for path in
        ["/v1/review/notes/00000000-0000-4000-8000-000000000000", "/v1/review/notes/x", "/review/notes/x"]
    {
        assert_eq!(get(&server, path, &[("authorization", &proof)]).status, 404, "{path}");
    }
    let queue = get(&server, "/v1/review/queue?limit=x", &[("authorization", &proof)]);
    assert_eq!(queue.status, 400);
    let queue = get(&server, "/v1/review/queue?limit=5", &[("authorization", &proof)]);
    assert_eq!(queue.json()["rows"], serde_json::json!([]));
}

#[test]
fn an_enrolment_code_works_once_and_guessing_is_slowed_down() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let code = clinic.ok(&["device", "code", "--name", "Tablet one"]);
    // The public key of the Ed25519 test vector 1 in RFC 8032.
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let enrol = |code: &str| {
        post(&server, "/v1/enrol", &[], &format!("{{\"code\":\"{code}\",\"public_key\":\"{key}\"}}"))
    };
    assert_eq!(enrol("AAAA-AAAA-AAAA").status, 401);
    let enrolled = enrol(&code);
    assert_eq!(enrolled.status, 200, "{}", enrolled.body);
    let value = enrolled.json();
    assert_eq!(value["name"], "Tablet one");
    assert_eq!(value["site_public_key"].as_str().unwrap().len(), 64);
    assert_eq!(enrol(&code).status, 401, "a code works once");
    let device = value["device"].as_str().unwrap();
    assert!(clinic.ok(&["device", "list"]).contains(device));
    clinic.ok(&["device", "revoke", device]);
    assert!(clinic.ok(&["device", "list"]).contains("revoked"));
    let statuses: Vec<u16> = (0..40).map(|_| enrol("AAAA-AAAA-AAAA").status).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let ok: &Server = &server;
    assert_eq!(get(ok, "/readyz", &[]).status, 200, "guessing disturbs nobody else");
}
