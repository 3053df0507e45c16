# Granary in a container: plain JavaScript and production dependencies only, as a user without rights.
#
#   docker build -t granary .
#   docker run -d --init -p 127.0.0.1:5000:5000 -p 127.0.0.1:11435:11435 -p 127.0.0.1:5080:5080 -v granary:/data --read-only --tmpfs /tmp \
#     --cap-drop ALL --security-opt no-new-privileges granary
#
# Nobody has to log in: in place of 127.0.0.1 name the address of your own network. A directory in place of the volume must be owned
# by user 1000, which is who this runs as.
#
# With your own settings: -v ./granary.yaml:/etc/granary/granary.yaml:ro, or anywhere else with -e GRANARY_CONFIG=/that/place. The
# health check reads the same file: another port, host, certificate or a login need nothing more.

# Base images are named by digest, so that what is built today is built tomorrow: take the digest of a newer one with
# `docker buildx imagetools inspect docker.io/library/node:24-alpine` when there is one.

# Not alpine: the development dependency `node` is a glibc program, and npm scripts find it first. What comes out is
# plain JavaScript.
FROM docker.io/library/node:24.19.0-bookworm-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM docker.io/library/node:24.19.0-alpine@sha256:d32cdf619f63fe0471182d08996dd516c6275bb5fd31ae06e55a570bd9e1ad43 AS dependencies
WORKDIR /dependencies
COPY package.json package-lock.json .npmrc ./
# What a node of a fleet needs beside (docs/fleet.md) is optional for others: npm leaves optional peers out, and those that are also
# development dependencies as well. As plain dependencies they come in the versions that the lock file has.
RUN node -e 'const { peerDependencies, peerDependenciesMeta, devDependencies, dependencies, ...rest } = require("./package.json"); \
  for (const name of Object.keys(peerDependencies)) delete devDependencies[name]; \
  const whole = { ...rest, devDependencies, dependencies: { ...dependencies, ...peerDependencies } }; \
  require("fs").writeFileSync("package.json", JSON.stringify(whole));'
# better-sqlite3 brings its binaries for every platform, and SQLite's source: only the ones for this libc are needed.
RUN npm ci --omit=dev \
  && cd node_modules/better-sqlite3 \
  && find prebuilds -type f ! -name 'linuxmusl-*' -delete \
  && rm -rf deps src

FROM docker.io/library/node:24.19.0-alpine@sha256:d32cdf619f63fe0471182d08996dd516c6275bb5fd31ae06e55a570bd9e1ad43
# Loopback inside a container is nobody's: the admin face listens for its published port, and asks for its token.
ENV NODE_ENV=production GRANARY_ADMIN=0.0.0.0:5080
COPY --from=dependencies /dependencies/node_modules /opt/granary/node_modules
COPY --from=build /build/dist /opt/granary/dist
COPY package.json LICENSE /opt/granary/
COPY config /opt/granary/config
RUN install -d -o node -g node -m 0750 /data

# The built-in default stores in ./data: from / that is the volume, and so is it for a configuration that says the same.
WORKDIR /
USER node
VOLUME /data
# 5000 for Docker Hub, 11435 for the Ollama registry, 5080 to see and steer it, 5081 for the other nodes of a fleet.
EXPOSE 5000 11435 5080 5081
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
  CMD ["node", "/opt/granary/dist/cli/granary.js", "health"]
# Exec form: SIGTERM reaches Granary itself, which drains the bodies in flight before it ends.
ENTRYPOINT ["node", "/opt/granary/dist/cli/granary.js"]
CMD ["serve"]
