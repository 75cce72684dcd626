/** Longest name of a saved file, in bytes of UTF-8. File systems allow at most 255. */
const MAX_NAME_BYTES = 200;

/** Characters that are invisible or change how a name is displayed: controls, bidi marks, fillers. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Characters that Windows forbids in file names. People copy the server's files to Windows, too. */
const FORBIDDEN = /[<>:"|?*]/g;

/** Names that Windows opens as devices, also with an extension: `con`, `nul.txt`, `com1`. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)/i;

/** Matches most safe names quickly. Device names of Windows are checked separately. */
const PLAIN = /^[A-Za-z0-9_-](?:[\w.-]{0,198}[\w-])?$/;

/**
 * Turns the last component of an untrusted path into a file name that is safe on Linux, macOS and Windows. A
 * name that is already safe is returned unchanged.
 * @param filePath path with `/` or `\` as separators
 * @returns a name of 1 to 200 bytes of UTF-8, in Unicode's form NFC; `"file"` if no valid character is left
 */
export function safeFileName(filePath: string): string {
  if (PLAIN.test(filePath) && !DEVICE.test(filePath)) return filePath;
  const last = filePath.split(/[/\\]/).findLast((component) => component !== "") ?? "";
  const name = trim(last.replace(INVISIBLE, "").normalize("NFC").replace(FORBIDDEN, "_"));
  const short = shortFileName(name);
  return DEVICE.test(short) ? shortFileName(`_${short}`) : short || "file";
}

/** Reports whether {@link safeFileName} would return the name unchanged. */
export function isSafeFileName(name: string): boolean {
  return safeFileName(name) === name;
}

/**
 * Reports whether a name is an ordinary file name on Windows. Returns false if Windows forbids a character in
 * the name, takes the name for a device, or would drop a dot or space at the end.
 */
export function isNameOnWindows(name: string): boolean {
  return !/[<>:"|?*\p{Cc}]|[. ]$/u.test(name) && !DEVICE.test(name);
}

/**
 * Inserts a suffix before the extension of a name. Shortens the part before the suffix if the result would be
 * too long.
 * @param maxBytes longest result, in bytes of UTF-8
 */
export function shortFileName(name: string, suffix = "", maxBytes = MAX_NAME_BYTES): string {
  if (suffix === "" && Buffer.byteLength(name) <= maxBytes) return name;
  const extension = /(?<=.)\.[^.\s]{1,16}$/su.exec(name)?.[0] ?? "";
  const stem = extension === "" ? name : name.slice(0, -extension.length);
  const room = maxBytes - Buffer.byteLength(suffix + extension);
  const shortStem = Buffer.byteLength(stem) <= room ? stem : trim(cut(stem, room));
  return shortStem + suffix + extension;
}

/** Cuts a text to at most a number of bytes of UTF-8, between two characters. */
function cut(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}

/**
 * Removes dots and spaces from both ends. A leading dot hides a file, and Windows drops dots and spaces at
 * the end.
 */
function trim(name: string): string {
  return name.replaceAll(/^[\s.]+|[\s.]+$/g, "");
}
