import { expect, test } from "bun:test";
import { isKeyName } from "../../../lib/client/owner-rules/key-files.ts";

const KEYS = {
  "keys by their endings": "server.key cert.pem a.p8 a.p12 store.jks a.keystore till.ppk wifi.ovpn",
  "copies of them": "server.key.old server.key~ server.key-2024 server.pem.1 s.p12.bak a.key.gz",
  "keys of SSH": "id_rsa id_ed25519.pub ssh_host_rsa_key ssh_host_ed25519_key.pub authorized_keys",
  "keys of SSH by other names": "authorized_keys2 deploy_rsa deploy_ed25519.bak github-ed25519",
  "what is called a key":
    "key key.old key~ key.1 key.txt key.json deploy_key api-key client.key.new",
  "what tells of its use":
    "private_key.txt private-key apikey api_key.json rootkey.csv accesskeys.csv",
  Kerberos: "http.keytab krb5.keytab.old krb5cc_1000 ticket.ccache a.kirbi",
  passwords: "passwords.txt password.csv passwords.kdbx credentials credentials.json secrets.yaml",
  "passwords by other names": "aws_credentials new_user_credentials.csv git-credentials secret",
  tokens: "token tokens api_token client_secret_12.json service-account.json a-adminsdk-b.json",
  "what programs keep": "netrc pgpass.conf htpasswd kubeconfig shadow gshadow- wallet.dat key4.db",
  "settings with passwords": "app.env server.env.bak chap-secrets ipsec.secrets a.tfstate a.tfvars",
};

test.each(Object.entries(KEYS))("%s stay: %s", (_, names) => {
  expect(names.split(" ").filter((name) => !isKeyName(name))).toEqual([]);
});

test.each([
  "keys.txt monkey turkey.jpg hockey keyboard.csv key-figures.csv keynote.pdf answer_key.pdf",
  "environment environment.txt secret-sauce.pdf secretary.csv secret.txt tokens.csv tokenizer.py",
  "report_rsa.pdf sales_rsa.csv passwordless.md pemmican.txt a.envelope passwd shadows.txt a.keysx",
])("what only looks like one leaves: %s", (names) => {
  expect(names.split(" ").filter(isKeyName)).toEqual([]);
});

test("no name takes long to look at", () => {
  const starts = ["key", "_key", "a_rsa", "service_account", "x-adminsdk-", "api", "."];
  const parts = ["~", ".old", "-1", ".json", "_key", "secret", " copy"];
  const begun = performance.now();
  for (const start of starts) {
    for (const part of parts) isKeyName(start + part.repeat(250 / part.length) + "!");
  }
  // A regular expression that backtracks would take hours for these names.
  expect(performance.now() - begun).toBeLessThan(1000);
});
