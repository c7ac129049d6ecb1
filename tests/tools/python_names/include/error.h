/* A tiny table of errors:
 *
 *   -EAGAIN         not now   (Empty)
 */
