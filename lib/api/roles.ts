import * as z from "zod";

/**
 * The roles of tokens, from the least to the most powerful. Each role may do all that the roles before it
 * may. Each endpoint in `endpoints/` names the role that it needs.
 */
export const ROLES = ["viewer", "operator", "admin"] as const;

export const Role = z.enum(ROLES).meta({
  id: "Role",
  description: "viewer: sees; operator: also pulls; admin: also manages who gets in",
});
export type Role = z.infer<typeof Role>;

/** Reports whether a role includes the role that is needed. */
export function mayActAs(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
