# Granary in a container: plain JavaScript and production dependencies only, as a user without rights.
#
#   docker build -t granary .
#   docker run -d --init -p 5000:5000 -p 11435:11435 -v granary:/data granary
#
# With your own settings: -v ./granary.yaml:/etc/granary/granary.yaml:ro, or anywhere else with -e GRANARY_CONFIG=/that/place. The
# health check reads the same file: another port, host, certificate or a login need nothing more.

# Not alpine: the development dependency `node` is a glibc program, and npm scripts find it first. What comes out is
# plain JavaScript.
FROM docker.io/library/node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM docker.io/library/node:24-alpine AS dependencies
WORKDIR /dependencies
COPY package.json package-lock.json .npmrc ./
# better-sqlite3 brings its binaries for every platform, and SQLite's source: only the ones for this libc are needed.
RUN npm ci --omit=dev \
  && cd node_modules/better-sqlite3 \
  && find prebuilds -type f ! -name 'linuxmusl-*' -delete \
  && rm -rf deps src

FROM docker.io/library/node:24-alpine
ENV NODE_ENV=production
COPY --from=dependencies /dependencies/node_modules /opt/granary/node_modules
COPY --from=build /build/dist /opt/granary/dist
COPY package.json /opt/granary/
COPY config /opt/granary/config
RUN install -d -o node -g node /data

# The built-in default stores in ./data: from / that is the volume, and so is it for a configuration that says the same.
WORKDIR /
USER node
VOLUME /data
# 5000 for Docker Hub, 11435 for the Ollama registry.
EXPOSE 5000 11435
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
  CMD ["node", "/opt/granary/dist/cli/granary.js", "health"]
# Exec form: SIGTERM reaches Granary itself, which drains the bodies in flight before it ends.
ENTRYPOINT ["node", "/opt/granary/dist/cli/granary.js"]
CMD ["serve"]
