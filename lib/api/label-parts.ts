/* Rules for labels. They are in a module without zod schemas, so that the dashboard's page stays small. */

/** Maximum number of labels of one client. */
export const MAX_LABELS = 32;

/** Maximum number of characters of a label's key or value. */
export const MAX_LABEL_LENGTH = 63;

/** Pattern that a label's key and value must each match. */
export const LABEL_PART = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;
