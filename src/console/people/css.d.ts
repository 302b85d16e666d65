// What the bundler makes of a stylesheet: it is loaded with the page that imports it.
declare module '*.css' {}
