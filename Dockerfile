# Tocsin's image: `tocsin api`, `tocsin worker` and `tocsin beat` are parts of docker-compose.yml.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Message keys by the system's libcrypto (docs/decisions/0032), which the Python image has.
# Debian keeps one version of each.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev libssl-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/tocsin
COPY requirements.lock ./
RUN /opt/tocsin/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY scripts/build_derive.py scripts/
COPY service service
COPY workers workers
RUN TOCSIN_BUILD_DERIVE=1 /opt/tocsin/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
  && /opt/tocsin/bin/pip install --no-deps --no-index /dist/*.whl

FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data tocsin \
  && install --directory --owner tocsin --group tocsin --mode 0750 /data
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TOCSIN_DATA_DIR=/data \
    TOCSIN_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# For `tocsin api`; the other parts switch it off.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.getenv('TOCSIN_PORT', '8080') + os.getenv('TOCSIN_BASE_PATH', '').rstrip('/') + '/livez', timeout=4)"]
ENTRYPOINT ["tocsin"]
CMD ["up"]
