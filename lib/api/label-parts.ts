/* What labels consist of. Without schemas, so that the page can import it. */

/** Most labels of a client. */
export const MAX_LABELS = 32;

/** Most characters of a key or a value. */
export const MAX_LABEL_LENGTH = 63;

/** Pattern of a key and of a value. */
export const LABEL_PART = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;
