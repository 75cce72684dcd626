/*
 * Names of files and folders that hold keys or passwords. They are guesses by the names that programs use:
 * a secret under another name has to be denied by the site's owner.
 */

/** Endings of names. The ending of a copy may follow: `server.key`, `server.key.old`. */
const ENDINGS = [
  // Private keys and certificates with their keys
  ["pem", "key", "keys", "p8", "p12", "pfx", "pkcs8", "pkcs12", "ppk", "pvk", "snk", "jwk", "nk"],
  // Stores of keys and passwords
  ["jks", "jceks", "bks", "keystore", "keychain", "keychain-db", "kwallet", "wallet"],
  ["kdb", "kdbx", "psafe3", "agilekeychain", "opvault", "1pif"],
  // Kerberos
  ["keytab", "ccache", "kirbi"],
  // Passwords, plain or hashed
  ["secret", "secrets", "cred", "creds", "passwd", "htpasswd", "env", "tfvars", "tfstate"],
  ["ovpn", "rdg", "publishsettings", "kubeconfig"],
  // Encrypted data, and keys for it
  ["gpg", "pgp", "agekey"],
].flat();

/** Endings of copies and of public halves: `key~`, `key.bak`, `id_rsa.pub`, `key.2026-01-31`. */
const COPY = String.raw`(?:~|[._ -](?:old|bak|backup|orig|save|new|tmp|swp|copy|pub|\d+))*`;

/** The part of the name stands by itself: no letter before it or after it. */
const [START, END] = [String.raw`(?:^|[^\p{L}])`, String.raw`(?!\p{L})`];

const KEY_NAMES = [
  String.raw`\.(?:${ENDINGS.join("|")})${END}`,
  // SSH keys, by the names that its programs and people use
  String.raw`^id_(?:rsa|dsa|ecdsa|ed25519|xmss)`,
  String.raw`^ssh_host_`,
  String.raw`^(?:authorized_keys|known_hosts)`,
  String.raw`[_-](?:rsa|dsa|ecdsa|ed25519)(?:_sk)?${COPY}$`,
  String.raw`(?:^|_)key${COPY}$`,
  String.raw`^key\.(?:txt|json)${COPY}$`,
  `${START}(?:private|secret|api|access|root|master|host|signing|encryption|ssh|deploy)[_. -]?keys?${END}`,
  // Passwords and tokens, by their names
  `${START}credentials?${END}`,
  String.raw`^(?:secrets|passwords?|passphrase)(?:\.|$)`,
  `^(?:secret|tokens?)${COPY}$`,
  String.raw`[_.-](?:secrets|token)${COPY}$`,
  `${START}client_?secret`,
  `${START}service[_-]?account.*\\.json${COPY}$`,
  String.raw`-adminsdk-.*\.json${COPY}$`,
  String.raw`^vault[_-]pass`,
  // Files in which programs keep them
  `^(?:_?netrc|pgpass\\.conf|htpasswd|kubeconfig|g?shadow-?)${COPY}$`,
  String.raw`^(?:wallet\.dat|ntds\.dit|key[34]\.db|logins\.json|signons\.sqlite|login data)`,
  String.raw`^(?:krb5cc_|utc--\d{4}-)`,
];

const KEY_NAME = new RegExp(KEY_NAMES.join("|"), "u");

/** @param name of a file or folder, lower-case and composed (NFC) */
export function isKeyName(name: string): boolean {
  return KEY_NAME.test(name);
}
