import * as z from "zod";

/**
 * The roles of tokens. Each role includes those before it. The role that a call needs stands in its
 * endpoint, in `endpoints/`.
 */
export const ROLES = ["viewer", "operator", "admin"] as const;

export const Role = z.enum(ROLES).meta({
  id: "Role",
  description: "viewer: sees; operator: also pulls; admin: also manages who gets in",
});
export type Role = z.infer<typeof Role>;

/** Whether a role includes the one that is needed. */
export function mayActAs(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
