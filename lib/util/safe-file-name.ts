/** Most bytes of UTF-8 in the name of a saved file. File systems take at most 255. */
const MAX_NAME_BYTES = 200;

/** Characters that nobody sees, or that change how the rest is shown: controls, bidi marks, fillers. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Characters that Windows forbids in names. A server's files are copied to Windows too. */
const FORBIDDEN = /[<>:"|?*]/g;

/** Names that Windows opens as devices, whatever follows the first dot. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)/i;

/** Names that are safe as they are, but for device names; most names are such. */
const PLAIN = /^[A-Za-z0-9_-](?:[\w.-]{0,198}[\w-])?$/;

/**
 * The last component of a path from elsewhere, made into a name that is safe on Linux, macOS and
 * Windows. A safe name comes back as it was.
 * @param filePath with `/` or `\` as separators
 * @returns 1 to 200 bytes of UTF-8, in Unicode's form NFC; `"file"` if nothing is left
 */
export function safeFileName(filePath: string): string {
  if (PLAIN.test(filePath) && !DEVICE.test(filePath)) return filePath;
  const last = filePath.split(/[/\\]/).findLast((component) => component !== "") ?? "";
  const name = trim(last.replace(INVISIBLE, "").normalize("NFC").replace(FORBIDDEN, "_"));
  const short = shortFileName(name);
  return DEVICE.test(short) ? shortFileName(`_${short}`) : short || "file";
}

/** True if {@link safeFileName} leaves the name as it is. */
export function isSafeFileName(name: string): boolean {
  return safeFileName(name) === name;
}

/**
 * Whether a name names exactly one file on Windows. Windows opens a device for some names, a stream after a
 * colon, and drops dots and spaces at the end, so that one file has several names.
 */
export function isNameOnWindows(name: string): boolean {
  return !/[<>:"|?*\p{Cc}]|[. ]$/u.test(name) && !DEVICE.test(name);
}

/**
 * Puts `suffix` before the extension, and shortens the stem where the whole would be too long.
 * @param most bytes of UTF-8
 */
export function shortFileName(name: string, suffix = "", most = MAX_NAME_BYTES): string {
  if (suffix === "" && Buffer.byteLength(name) <= most) return name;
  const extension = /(?<=.)\.[^.\s]{1,16}$/su.exec(name)?.[0] ?? "";
  const stem = extension === "" ? name : name.slice(0, -extension.length);
  const room = most - Buffer.byteLength(suffix + extension);
  const kept = Buffer.byteLength(stem) <= room ? stem : trim(cut(stem, room));
  return kept + suffix + extension;
}

/** The longest start of a text that takes at most a number of bytes of UTF-8. */
function cut(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}

/**
 * Removes dots and spaces at both ends: a dot in front hides a file, and Windows drops those at the end.
 */
function trim(name: string): string {
  return name.replaceAll(/^[\s.]+|[\s.]+$/g, "");
}
