# mmzoo with DeepReg, on the versions of constraints.txt:
#
#     docker build -t mmzoo .                              for processors
#     docker build -t mmzoo:gpu --build-arg EXTRA=gpu .    with CUDA's libraries; run it by --gpus all
#     docker run --rm -v "$PWD:/data" mmzoo mmzoo register --fixed ct.nii.gz --moving mr.nii.gz --out aligned
FROM python:3.11-slim

ARG EXTRA=
WORKDIR /opt/mmzoo
COPY . .
# DeepReg comes without its dependencies: its metadata pins TensorFlow 2.3.1.
RUN pip install --no-cache-dir -c constraints.txt ".[deepreg${EXTRA:+,$EXTRA}]" \
    && pip install --no-cache-dir --no-deps deepreg==0.1.2 \
    && python -c "import deepreg.train"

WORKDIR /data
CMD ["mmzoo", "--help"]
