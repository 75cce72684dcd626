/*
 * Names of files and folders that are likely to hold keys or passwords. Common programs use these names. The
 * site's owner has to deny secrets with other names.
 */

/** Extensions of files that hold secrets. The extension of a copy may follow, as in `server.key.old`. */
const ENDINGS = [
  // Private keys, and certificates together with their keys
  ["pem", "key", "keys", "p8", "p12", "pfx", "pkcs8", "pkcs12", "ppk", "pvk", "snk", "jwk", "nk"],
  // Stores of keys and passwords
  ["jks", "jceks", "bks", "keystore", "keychain", "keychain-db", "kwallet", "wallet"],
  ["kdb", "kdbx", "psafe3", "agilekeychain", "opvault", "1pif"],
  // Kerberos keys and tickets
  ["keytab", "ccache", "kirbi"],
  // Passwords, plain or hashed
  ["secret", "secrets", "cred", "creds", "passwd", "htpasswd", "env", "tfvars", "tfstate"],
  ["ovpn", "rdg", "publishsettings", "kubeconfig"],
  // Encrypted data, and keys to decrypt it
  ["gpg", "pgp", "agekey"],
].flat();

/** Endings of copies and of public keys, as in `key~`, `key.bak`, `id_rsa.pub` and `key.2026-01-31`. */
const COPY = String.raw`(?:~|[._ -](?:old|bak|backup|orig|save|new|tmp|swp|copy|pub|\d+))*`;

/** Regular expressions for the edges of a word, so that no letter precedes or follows it. */
const [START, END] = [String.raw`(?:^|[^\p{L}])`, String.raw`(?!\p{L})`];

const KEY_NAMES = [
  String.raw`\.(?:${ENDINGS.join("|")})${END}`,
  // SSH files, by the names that OpenSSH and its users commonly give them
  String.raw`^id_(?:rsa|dsa|ecdsa|ed25519|xmss)`,
  String.raw`^ssh_host_`,
  String.raw`^(?:authorized_keys|known_hosts)`,
  String.raw`[_-](?:rsa|dsa|ecdsa|ed25519)(?:_sk)?${COPY}$`,
  String.raw`(?:^|_)key${COPY}$`,
  String.raw`^key\.(?:txt|json)${COPY}$`,
  `${START}(?:private|secret|api|access|root|master|host|signing|encryption|ssh|deploy)[_. -]?keys?${END}`,
  // Files with passwords or tokens, by words in their names
  `${START}credentials?${END}`,
  String.raw`^(?:secrets|passwords?|passphrase)(?:\.|$)`,
  `^(?:secret|tokens?)${COPY}$`,
  String.raw`[_.-](?:secrets|token)${COPY}$`,
  `${START}client_?secret`,
  `${START}service[_-]?account.*\\.json${COPY}$`,
  String.raw`-adminsdk-.*\.json${COPY}$`,
  String.raw`^vault[_-]pass`,
  // Files in which particular programs keep passwords and keys
  `^(?:_?netrc|pgpass\\.conf|htpasswd|kubeconfig|g?shadow-?)${COPY}$`,
  String.raw`^(?:wallet\.dat|ntds\.dit|key[34]\.db|logins\.json|signons\.sqlite|login data)`,
  String.raw`^(?:krb5cc_|utc--\d{4}-)`,
];

const KEY_NAME = new RegExp(KEY_NAMES.join("|"), "u");

/**
 * Reports whether a name looks like that of a file with keys or passwords.
 * @param name of a file or folder, lower-case and composed (NFC)
 */
export function isKeyName(name: string): boolean {
  return KEY_NAME.test(name);
}
