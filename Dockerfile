# viva for a machine without the network: built once where npm's registry can be reached, then copied over.
#   docker build -t viva . && docker save viva | gzip > viva.tar.gz     here
#   gunzip -c viva.tar.gz | docker load                                 there
# docs/tutorials/hospital.md shows its use; test/package/dockerfile.test.ts runs its commands without Docker.

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY . .
RUN npm ci && npm run build && npm pack --pack-destination /tmp

FROM node:22-bookworm-slim
WORKDIR /opt/viva
COPY --from=build /tmp/viva-rl-*.tgz /tmp/
RUN npm install --no-audit --no-fund --cache /tmp/npm /tmp/viva-rl-*.tgz && rm -rf /tmp/npm /tmp/viva-rl-*.tgz
ENV PATH=/opt/viva/node_modules/.bin:$PATH HF_HUB_OFFLINE=1
USER node
WORKDIR /work
ENTRYPOINT ["viva"]
CMD ["--help"]
