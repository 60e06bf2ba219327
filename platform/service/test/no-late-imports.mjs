import { registerHooks } from "node:module";

registerHooks({
  load(url, context, nextLoad) {
    if (process.getuid() !== 0 && !url.startsWith("node:")) throw new Error(`loaded after the drop of rights: ${url}`);
    return nextLoad(url, context);
  },
});
