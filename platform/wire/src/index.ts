/** What the processes of Trefoil say to each other. Types and tables only: no server's code, no I/O. */
export * from "./admin.ts";
export * from "./application-link.ts";
export * from "./authority.ts";
export * from "./boot.ts";
export * from "./gateway-link.ts";
export * from "./link.ts";
export * from "./mac-version.ts";
export * from "./roles.ts";
export * from "./sealed.ts";
