"""What one would write instead, each in a process of its own: `python picture_peers.py LIBRARY WORK IN OUT`."""

import sys

SHARPEN = (0, -1, 0, -1, 5, -1, 0, -1, 0)


def pillow(work: str, source: str, target: str) -> None:
    """Pillow's filters; its Gaussian is several boxes."""
    from PIL import Image, ImageFilter

    Image.MAX_IMAGE_PIXELS = None
    filters = {
        "gaussian": ImageFilter.GaussianBlur(3),
        "sharpen": ImageFilter.Kernel((3, 3), SHARPEN),
        "median": ImageFilter.MedianFilter(3),
    }
    image = Image.open(source)
    y = image.reduce(2) if work == "pool" else image.filter(filters[work])
    y.save(target)


def opencv(work: str, source: str, target: str) -> None:
    """OpenCV's filters."""
    import os

    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(2**40)
    import cv2
    import numpy as np

    image = cv2.imread(source, cv2.IMREAD_UNCHANGED)
    if work == "gaussian":
        y = cv2.GaussianBlur(image, (0, 0), 3)
    elif work == "sharpen":
        y = cv2.filter2D(image, -1, np.reshape(SHARPEN, (3, 3)).astype(np.float32))
    elif work == "median":
        y = cv2.medianBlur(image, 3)
    elif work == "pool":
        y = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    else:
        across, down = cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)
        y = cv2.convertScaleAbs(cv2.magnitude(across, down))
    # uncompressed as the input is: OpenCV would take LZW
    cv2.imwrite(target, y, [cv2.IMWRITE_TIFF_COMPRESSION, 1] if target.endswith(".tif") else [])


if __name__ == "__main__":
    library, work, source, target = sys.argv[1:]
    {"Pillow": pillow, "OpenCV": opencv}[library](work, source, target)
